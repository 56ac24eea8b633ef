// The page: one article for each device, fed over a WebSocket.
import { Drawing, partRows } from "./board.js";
import { Charts, load } from "./charts.js";
import { choice, follow, list, make, mark, number, restore, time, toggle, write } from "./dom.js";

const MOST_ROWS = 200, TRIES = 5;
const STATES = {
  online: ["Online", "good"], safe: ["Safe state", "warn"], unauthorized: ["Not authorized", "bad"],
  no_wifi: ["No Wi-Fi", "bad"], no_time: ["No time yet", "warn"], no_cloud: ["No cloud", "bad"],
  config_error: ["Configuration error", "bad"],
};
const $ = (id) => document.getElementById(id);
const devices = [];
let panel = [], chartsAreHere = false;

function trouble(text) {
  write($("trouble"), text);
  clearTimeout(trouble.timer);
  if (text) trouble.timer = setTimeout(() => trouble(""), 8000);
}

async function send(device, call) {
  try {
    const answer = await fetch("do", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ device, ...call }),
    });
    if (answer.ok) return true;
    const { field, error } = await answer.json();
    trouble(`${field} ${error}`);
  } catch {
    trouble("No answer from the demo.");
  }
  return false;
}

class Device {
  constructor(index) {
    this.send = (call) => send(index, call);
    this.state = {};
    this.root = $("device").content.firstElementChild.cloneNode(true);
    $("main").append(this.root);
    const find = (selector) => this.root.querySelector(selector);
    this.parts = { commands: find(".commands"), parts: find(".parts"), rules: find(".rules"), memory: find(".memory") };
    this.texts = Object.fromEntries([...this.root.querySelectorAll("[data-text]")].map((node) => [node.dataset.text, node]));
    this.drawing = new Drawing(find(".drawing"), this.send);
    this.charts = new Charts(find(".charts"));
    find(".no-charts").hidden = chartsAreHere;
    this.timeline = find(".timeline");
    this.messages = find(".messages");
    this.filters = find(".filters");
    this.filters.addEventListener("input", () => this.filter());
    this.held = [];
    this.panel(find(".panel"));
    const form = find(".rule");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (await this.send({ verb: "fault", rule: form.rule.value })) form.rule.value = "";
    });
    find(".clear").addEventListener("click", () => this.send({ verb: "clear_faults" }));
  }

  clear() {
    this.charts.clear();
    this.held = [];
    this.timeline.replaceChildren();
    this.messages.replaceChildren();
  }

  take(news) {
    if (news.samples) this.charts.add(news.samples);
    if (news.state) {
      Object.assign(this.state, news.state);
      this.draw(news.state);
    }
    if (news.timeline) this.charts.addMarks(news.timeline.filter((item) => item.who === "you").map((item) => item.t));
    if (news.timeline) this.prepend(this.timeline, news.timeline.map((item) => this.timelineRow(item)));
    if (news.messages) this.received(news.messages);
  }

  draw(changed) {
    const { about, board, commands, sensors, parts, knobs, faults, memory } = this.state;
    if (changed.commands || changed.status || changed.sensors) this.commands(commands);
    if (changed.parts || changed.board) this.drawing.draw(parts, about.chip, board.powered);
    if (changed.parts || changed.knobs) this.partControls(parts, knobs);
    if (changed.sensors || changed.commands) this.charts.draw(sensors, commands);
    if (changed.memory) this.memory(memory);
    if (changed.faults) {
      write(this.parts.rules, faults.rules.length ? `Set: ${faults.rules.join("; ")}` : "No message fault is set.");
    }
    for (const update of this.controls) update();
    this.now();
  }

  now() {
    const { about, board, cloud, status } = this.state;
    if (!board) return;
    const [word, tone] = !board.powered ? ["No power", "bad"] : board.at_repl ? ["At the REPL", "warn"]
      : STATES[status?.state] ?? ["Starting", "warn"];
    write(this.texts.state, word);
    mark(this.texts.state, "class", `state ${tone}`);
    write(this.texts.why, !board.powered ? "The outputs have no power." : board.at_repl ? "No program is running." : (status?.safe ?? []).join("; "));
    write(this.texts.about, `${about.device} · ${about.chip} · ${about.api}, ${about.configured}`);
    write(this.texts.transport, cloud.session ? "MQTT" : "polling over HTTPS");
    write(this.texts.wifi, !board.air ? board.wired ? "cable out" : "access point off" : !board.joined ? "not joined" : board.zombie ? "joined, but packets are lost" : board.wired ? "cable" : "joined");
    write(this.texts.boots, `${board.boots}, last: ${board.reset.replace("_", " ")}`);
    write(this.texts.firmware, status?.version ? `${status.version}, slot ${status.slot}` : "–");
    const [waiting, dropped] = status?.outbox ?? [null, null];
    write(this.texts.outbox, waiting == null ? "–" : `${waiting} waiting, ${dropped} dropped`);
    this.tick();
  }

  tick() {
    const ends = this.state.status?.lease_ends ?? 0, left = Math.round(ends - Date.now() / 1000);
    write(this.texts.lease, left > 0 && this.state.board?.powered && !this.state.board.at_repl ? `${left} s left` : "none");
    return this.texts.state.textContent;
  }

  memory(memory) {
    const rows = [
      ["heap", memory.live, memory.area, memory.limited ? `of ${memory.grown ? "two areas, doubled" : "one area, not doubled"}` : "not limited here"],
      ["most heap so far", memory.peak, memory.area, ""],
      ["pool of ESP-IDF, free", memory.pool, memory.pool_size, `lowest ${number(memory.pool_lowest)}`],
    ];
    list(this.parts.memory, rows, (row) => row[0], ([name]) => {
      const meter = make("meter", { min: 0 }), text = make("span");
      return [make("label", {}, text, meter), ([, value, most, more]) => {
        mark(meter, "max", most);
        mark(meter, "value", value);
        write(text, `${name}: ${number(value)} bytes ${more}`);
      }];
    });
  }

  commands(commands) {
    list(this.parts.commands, commands, (row) => [row.port, row.mode], (row) => {
      const cell = (name) => [make("div", {}, make("dt", {}, name), make("dd")), name];
      const cells = ["desired", "reported", "physical"].map(cell);
      const values = make("dl", { class: "values" }, ...cells.map(([node]) => node));
      const [desired, reported, physical] = cells.map(([node]) => node.lastChild);
      const why = make("p", { class: "warn" });
      const [control, update] = this.control(row);
      const node = make("div", { class: "command", "data-port": row.port },
        make("h3", {}, `${row.name} `, make("span", { class: "quiet" }, `port ${row.port}, ${row.least} to ${row.most}, step ${row.step}`)),
        values, control, why);
      const said = (now, value) => value == null ? "–" : now.mode === "switch" ? (Number(value) ? "on" : "off") : Number.isNaN(Number(value)) ? value : number(value);
      return [node, (now) => {
        write(desired, said(now, now.desired));
        write(reported, said(now, now.reported));
        reported.classList.toggle("differs", Number(now.desired) !== Number(now.reported));
        write(physical, now.mode === "none" ? "–" : now.duty != null ? `${number(now.duty)} %` : now.on ? "on" : "off");
        physical.classList.toggle("good", now.on);
        const output = (this.state.status?.outputs ?? []).find(([name]) => name === now.name);
        const sensor = this.state.sensors.find((one) => one.port === now.sensor);
        write(why, output?.[3] ? `${/_s$|interlock/.test(output[3]) ? "held by " : ""}${output[3]}` : sensor && this.state.status?.state && sensor.measured == null ? `${sensor.name} gives no reading` : "");
        update(now);
      }];
    });
  }

  control(row) {
    const fields = [];
    const set = async (value) => (await this.send({ verb: "set", port: row.port, value })) || restore(...fields);
    if (row.least === 0 && row.most === 1) {
      const node = toggle(row.name, (on) => set(on ? 1 : 0));
      return [make("div", { class: "control" }, node), (now) => mark(node, "aria-checked", Number(now.desired) === 1)];
    }
    const bounds = { min: row.least, max: row.most, step: row.step };
    const slider = make("input", { type: "range", ...bounds, "aria-label": `${row.name}, slider` });
    const field = make("input", { type: "number", ...bounds, "aria-label": row.name });
    fields.push(slider, field);
    slider.addEventListener("input", () => { field.value = slider.value; });
    slider.addEventListener("change", () => set(slider.valueAsNumber));
    field.addEventListener("change", () => set(field.valueAsNumber));
    return [make("div", { class: "control" }, slider, field), (now) => {
      for (const one of fields) follow(one, Number(now.desired));
    }];
  }

  partControls(parts, knobs) {
    const rows = [...parts.filter((part) => part.kind !== "led"), ...knobs.map((knob) => ({ ...knob, role: knob.name, kind: "knob" }))];
    const knobRows = this.parts.parts.knobs ??= this.parts.parts.appendChild(make("div"));
    const partList = this.parts.parts.others ??= this.parts.parts.appendChild(make("div"));
    partRows(partList, rows.filter((row) => row.kind !== "knob"), (part) => this.choiceOf(part));
    list(knobRows, knobs, (knob) => knob.name, (knob) => {
      const shown = make("span", { class: "figure" }), title = knob.label;
      const turn = (value) => this.send({ verb: "turn", knob: knob.name, value });
      if (!knob.step) {
        return [make("div", { class: "row" }, make("button", { type: "button", onclick: () => turn(10) }, `10 ${title}`)), () => {}];
      }
      const slider = make("input", { type: "range", min: knob.least, max: knob.most, step: knob.step, "aria-label": title });
      const show = (value) => write(shown, `${number(value, 2)} ${knob.unit}`);
      slider.addEventListener("input", () => show(slider.value));
      slider.addEventListener("change", () => turn(slider.valueAsNumber));
      return [make("div", { class: "row knob" }, make("span", { class: "name" }, title), slider, shown), (now) => {
        if (!slider.matches(":active")) {
          slider.value = now.value;
          show(now.value);
        }
      }];
    });
  }

  choiceOf(part) {
    if (part.kind === "button") return make("button", { type: "button", onclick: () => this.send({ verb: "button", ms: 400 }) }, "Press");
    if (part.kind === "sensor") {
      return part.breaks && choice(`${part.role}, its wires`, { "": "fine", open: "unplugged", short: "shorted" },
        (fault) => this.send({ verb: "sensor", role: part.role, fault }));
    }
    return choice(`${part.role}, its relay`, { "": "works", on: "stuck on", off: "stuck off" },
      (at) => this.send({ verb: "stick", role: part.role, at }));
  }

  panel(parent) {
    this.controls = [];
    const value = (path) => path.split(".").reduce((part, name) => part?.[name], this.state);
    for (const group of panel) {
      const controls = make("div", { class: "controls" });
      for (const control of group.controls) {
        let node;
        if (control.choices) {
          const select = choice(control.label, control.choices, (chosen) => this.send({ ...control.call, [control.field]: chosen }));
          this.controls.push(() => follow(select, value(control.state) ?? ""));
          node = make("label", {}, `${control.label} `, select);
        } else if (control.on) {
          node = toggle(control.label, (on) => this.send(on ? control.on : control.off));
          this.controls.push(() => mark(node, "aria-checked", Boolean(value(control.state))));
        } else {
          node = make("button", { type: "button", title: control.title || null, onclick: () => this.send(control.call) }, control.label);
        }
        controls.append(node);
      }
      const note = group.note ? [make("p", { class: "hint" }, group.note)] : [];
      const node = make("div", {}, make("h3", {}, group.title), ...note, controls);
      if (group.needs) this.controls.push(() => { node.hidden = !value(group.needs); });
      parent.append(node);
    }
  }

  timelineRow(item) {
    const tone = /red/.test(item.style) ? "bad" : /yellow|magenta/.test(item.style) ? "warn" : /green/.test(item.style) ? "good" : "";
    return make("li", { class: item.who === "you" ? "you" : "" }, make("time", {}, time(item.t)),
      make("span", { class: "who" }, item.who), " ", make("span", { class: tone }, item.text));
  }

  received(messages) {
    this.held = [...this.held, ...messages].slice(-MOST_ROWS);
    if (this.filters.querySelector("[name=hold]").checked) return;
    this.prepend(this.messages, this.held.map((item) => this.messageRow(item)));
    this.held = [];
  }

  messageRow(item) {
    const words = `${item.up ? "→ cloud" : "← cloud"} ${item.via} ${item.what.replace(/^realer\/iot\/v1\/devices\/[^/]+/, "…")}${item.status ? ` ${item.status}` : ""}`;
    const details = make("details", {}, make("summary", {}, make("time", {}, time(item.t)), words,
      make("span", { class: "quiet" }, ` ${number(item.size)} bytes`)));
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(make("pre", {}, pretty(item.body)));
    });
    const row = make("li", {}, details);
    row.facts = { via: item.via, way: item.up ? "up" : "down", text: `${words} ${item.body}`.toLowerCase() };
    row.hidden = !this.matches(row.facts);
    return row;
  }

  matches({ via, way, text }) {
    const field = (name) => this.filters.querySelector(`[name=${name}]`);
    return field(via).checked && field(way).checked && text.includes(field("words").value.toLowerCase());
  }

  filter() {
    for (const row of this.messages.children) row.hidden = !this.matches(row.facts);
    if (this.held.length) this.received([]);
  }

  // The latest first. After scrolling down, or with a message open, what is visible stays in place.
  prepend(parent, nodes) {
    const before = parent.scrollHeight, top = parent.scrollTop;
    parent.prepend(...nodes.slice(-MOST_ROWS).reverse());
    while (parent.children.length > MOST_ROWS) parent.lastElementChild.remove();
    if (top > 0 || parent.querySelector("[open]")) parent.scrollTop = top + parent.scrollHeight - before;
  }
}

function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body || "no body";
  }
}

function show(index) {
  devices.forEach((device, other) => {
    device.root.hidden = other !== index;
    if (device.tab) mark(device.tab, "aria-current", other === index);
  });
  devices[index].charts.resize();
}

function tabs() {
  if (devices.length < 2) return;
  $("devices").hidden = false;
  devices.forEach((device, index) => {
    device.tab = make("button", { type: "button", onclick: () => show(index) }, make("strong"), make("small"));
    $("devices").append(device.tab);
  });
}

function tick() {
  for (const device of devices) {
    const state = device.tick();
    if (!device.tab || !device.state.about) continue;
    const { name, chip, api, configured } = device.state.about;
    write(device.tab.firstChild, `${name}: ${state}`);
    write(device.tab.lastChild, `${chip}, ${api}, ${configured}`);
  }
}

function notice(text) {
  write($("notice"), text);
  $("notice").hidden = !text;
}

function ended() {
  notice("The demo has ended. “realer demo” starts a new one, at another address.");
  document.body.classList.add("ended");
  for (const part of [$("main"), $("devices")]) part.inert = true;
  clearInterval(ticking);
}

async function first({ panel: controls, charts }) {
  panel = controls;
  chartsAreHere = charts && await load().then(() => true, () => false);
}

function connect(tries) {
  const socket = new WebSocket(`${location.href.replace(/^http/, "ws").replace(/[#?].*/, "")}live`);
  let over = false, ready = Promise.resolve(), fresh = true;
  socket.onmessage = ({ data }) => {
    const news = JSON.parse(data);
    tries = TRIES;
    if (news.ended) {
      over = true;
      ended();
    } else if (news.panel && !devices.length) {
      ready = first(news);
    } else if (news.devices) {
      ready = ready.then(() => take(news.devices, fresh)).then(() => { fresh = false; });
    }
  };
  socket.onclose = () => {
    if (over) return;
    if (tries === 0) {
      ended();
      return;
    }
    notice("Connection to the demo lost; trying again …");
    setTimeout(() => connect(tries - 1), 1000);
  };
}

function take(news, fresh) {
  if (!devices.length) {
    $("waiting").remove();
    news.forEach((_, index) => devices.push(new Device(index)));
    tabs();
    show(0);
  } else if (fresh) {
    for (const device of devices) device.clear();
    notice("");
  }
  news.forEach((part, index) => devices[index].take(part));
  tick();
}

const ticking = setInterval(tick, 1000);
connect(TRIES);
