// Small helpers. Nodes are made once; afterwards only what has changed is written.

export function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "circle", "path", "text", "line"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function mark(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Show `value` in `field`, but only if it has changed: what the user is entering is not overwritten.
export function follow(field, value) {
  const text = String(value);
  if (field.shown === text) return;
  field.shown = text;
  field.value = text;
}

// Undo an entry that was refused.
export function restore(...fields) {
  for (const field of fields) field.value = field.shown;
}

export function time(seconds) {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}

export function number(value, digits = 1) {
  return value == null ? "–" : Number(value).toLocaleString("en", { maximumFractionDigits: digits });
}

// Update the children of `parent`, one for each of `items`. They are rebuilt only if the keys have changed.
// `build(item)` returns [node, update], `update(item)` writes the present values.
export function list(parent, items, key, build) {
  const keys = JSON.stringify(items.map(key));
  if (parent.dataset.keys !== keys) {
    parent.dataset.keys = keys;
    parent.replaceChildren();
    parent.updates = items.map((item) => {
      const [node, update] = build(item);
      parent.append(node);
      return update;
    });
  }
  items.forEach((item, index) => parent.updates[index](item));
}

export function toggle(label, press) {
  const node = make("button", { type: "button", role: "switch", "aria-checked": "false" }, label);
  node.addEventListener("click", () => press(node.getAttribute("aria-checked") !== "true"));
  return node;
}

export function choice(label, choices, choose) {
  const node = make("select", { "aria-label": label, onchange: async () => (await choose(node.value)) || restore(node) },
    ...Object.entries(choices).map(([value, word]) => make("option", { value }, word)));
  return node;
}
