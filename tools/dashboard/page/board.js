// The drawing of the virtual board: the parts that are wired to it, and their present state.
import { follow, list, make, mark, write } from "./dom.js";

const ROW = 64, NARROW = 520;
const WIDE = { width: 720, left: 240, right: 480, box: 150 }, SMALL = { width: 380, left: 128, right: 252, box: 116 };

export class Drawing {
  constructor(parent, send) {
    this.parent = parent;
    this.send = send;
    this.keys = "";
    new ResizeObserver(() => this.last && this.draw(...this.last)).observe(parent);
  }

  draw(parts, chip, powered) {
    this.last = [parts, chip, powered];
    this.form = this.parent.clientWidth < NARROW ? SMALL : WIDE;
    const keys = JSON.stringify([chip, this.form, parts.map((part) => [part.role, part.gpio])]);
    if (keys !== this.keys) {
      this.keys = keys;
      this.build(parts, chip);
    }
    for (const part of parts) this.update(part, powered);
    const on = parts.filter((part) => part.on).map((part) => part.role);
    mark(this.svg, "aria-label", `Virtual ${chip} board. On: ${on.join(", ") || "nothing"}.`);
  }

  build(parts, chip) {
    const sensors = parts.filter((part) => part.kind === "sensor");
    const relays = parts.filter((part) => part.kind === "relay");
    const height = Math.max(sensors.length, relays.length, 3) * ROW + 40;
    const { width, left, right } = this.form, middle = width / 2;
    this.svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
    this.svg.append(
      make("rect", { x: left, y: 10, width: right - left, height: height - 20, rx: 10, class: "pcb" }),
      make("rect", { x: middle - 40, y: 28, width: 80, height: 66, rx: 4, class: "die" }),
      make("text", { x: middle, y: 66, class: "print", "text-anchor": "middle" }, chip));
    this.nodes = {};
    sensors.forEach((part, row) => this.place(part, row, -1));
    relays.forEach((part, row) => this.place(part, row, 1));
    for (const part of parts) if (part.kind === "led" || part.kind === "button") this.onBoard(part, height);
    this.parent.replaceChildren(this.svg);
  }

  place(part, row, side) {
    const { width, left, right, box: size } = this.form;
    const y = 30 + row * ROW, x = side < 0 ? 2 : width - size - 2;
    const edge = side < 0 ? left : right, box = side < 0 ? x + size : x, lamp = x + size;
    const wire = make("line", { x1: edge, y1: y + 22, x2: box, y2: y + 22, class: "wire" });
    const second = make("text", { x: x + 12, y: y + 37, class: "small" });
    const group = make("g", {},
      wire, make("circle", { cx: edge, cy: y + 22, r: 4, class: "pin" }),
      make("text", { x: edge - side * 9, y: y + 26, class: "print", "text-anchor": side < 0 ? "start" : "end" }, String(part.gpio)),
      make("rect", { x, y, width: size, height: 46, rx: 6, class: "box" }),
      make("text", { x: x + 12, y: y + 19, class: "label" }, part.role), second);
    let blade = null;
    if (side > 0) {
      blade = make("line", { x1: lamp - 50, y1: y + 32, x2: lamp - 32, y2: y + 32, class: "blade" });
      group.append(make("circle", { cx: lamp - 16, cy: y + 23, r: 9, class: "lamp" }), blade,
        make("circle", { cx: lamp - 51, cy: y + 32, r: 2.5, class: "pin" }), make("circle", { cx: lamp - 31, cy: y + 32, r: 2.5, class: "pin" }));
    }
    this.nodes[part.role] = { group, wire, second, blade, y };
    this.svg.append(group);
  }

  onBoard(part, height) {
    const y = height - 50, x = this.form.width / 2 + (part.kind === "led" ? -32 : 32);
    const group = make("g", part.kind === "button" ? { class: "press", onclick: () => this.send({ verb: "button", ms: 400 }) } : {});
    if (part.kind === "led") group.append(make("circle", { cx: x, cy: y, r: 9, class: "bulb" }));
    else group.append(make("rect", { x: x - 15, y: y - 15, width: 30, height: 30, rx: 4, class: "die" }),
      make("circle", { cx: x, cy: y, r: 10, class: "cap" }));
    group.append(make("text", { x, y: y + 30, class: "print", "text-anchor": "middle" }, part.kind));
    this.nodes[part.role] = { group };
    this.svg.append(group);
  }

  update(part, powered) {
    const { group, wire, second, blade, y } = this.nodes[part.role];
    group.classList.toggle("lit", Boolean(part.on));
    if (blade) mark(blade, "y2", part.on ? y + 32 : y + 24);
    if (wire) wire.classList.toggle("cut", part.fault === "open");
    if (second) write(second, part.kind === "sensor" ? { "": part.of.replaceAll("_", " "), open: "unplugged", short: "shorted" }[part.fault]
      : part.stuck ? `stuck ${part.stuck}` : powered ? part.on ? "on" : "off" : "no power");
  }
}

// A list of the parts with their controls, which can also be used with the keyboard.
export function partRows(parent, parts, choiceOf) {
  list(parent, parts, (part) => part.role, (part) => {
    const state = make("span", { class: "quiet" });
    const row = make("div", { class: "row" }, make("span", { class: "name" }, `${part.role} `, state));
    const control = choiceOf(part);
    if (control) row.append(control);
    return [row, (now) => {
      write(state, `GPIO ${now.gpio}${now.kind === "sensor" ? "" : now.on ? ", on" : ", off"}`);
      if (control?.tagName === "SELECT") follow(control, now.fault ?? now.stuck);
    }];
  });
}
