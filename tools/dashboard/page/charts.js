// Charts of the sensors, drawn by uPlot; without it only the values are shown.
import { list, make, mark, number, time, write } from "./dom.js";

const MOST = 900;
let uPlot = null;

export async function load() {
  document.head.append(make("link", { rel: "stylesheet", href: "uplot.css" }));
  uPlot = (await import("./uplot.js")).default;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export class Charts {
  constructor(parent) {
    this.parent = parent;
    this.clear();
    this.plots = new Map();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.rebuild());
    new ResizeObserver(() => this.resize()).observe(parent);
  }

  clear() {
    this.samples = [];
    this.marks = [];
  }

  rebuild() {
    for (const plot of this.plots.values()) plot.destroy();
    this.plots.clear();
    delete this.parent.dataset.keys;
    if (this.state) this.draw(...this.state);
  }

  resize() {
    for (const [port, plot] of this.plots) {
      const width = plot.root.parentElement.clientWidth;
      if (width && width !== plot.width) plot.setSize({ width, height: 200 });
    }
  }

  add(samples) {
    this.samples = [...this.samples, ...samples].slice(-MOST);
    for (const [port, plot] of this.plots) plot.setData(this.columns(port, plot.command));
  }

  columns(port, command) {
    const value = (part, name) => this.samples.map((sample) => sample[part][name] ?? null);
    return [this.samples.map((sample) => sample.t), value("measured", port), value("there", port),
      command ? value("desired", command) : this.samples.map(() => null)];
  }

  draw(sensors, commands) {
    this.state = [sensors, commands];
    list(this.parent, sensors, (sensor) => sensor.port, (sensor) => {
      const command = commands.find((row) => row.sensor === sensor.port);
      const plot = make("div", { class: "plot", role: "img" });
      const keys = ["measured", "there", ...(command ? ["desired", "on"] : [])];
      const words = Object.fromEntries(keys.map((key) => [key, make("span", { class: `key ${key}` })]));
      const figure = make("figure", {}, make("figcaption", {}, make("strong", {}, sensor.name), " ", ...Object.values(words)));
      figure.append(plot);
      if (uPlot) requestAnimationFrame(() => this.plot(plot, sensor.port, command?.port));
      else plot.hidden = true;
      return [figure, (now) => {
        const output = command && this.state[1].find((row) => row.port === command.port);
        write(words.measured, `measured ${number(now.measured)} ${now.unit}`);
        write(words.there, now.there == null ? "" : `actual ${number(now.there)} ${now.unit}`);
        words.there.hidden = now.there == null;
        if (output) {
          write(words.desired, `setpoint ${number(output.desired)}`);
          write(words.on, `${output.name} ${output.on ? "on" : "off"}`);
        }
        mark(plot, "aria-label", `${now.name}: ${number(now.measured)} ${now.unit}${output ? `, setpoint ${number(output.desired)}` : ""}`);
      }];
    });
  }

  plot(parent, port, command) {
    if (this.plots.has(port) || !parent.isConnected) return;
    const line = (name, dash) => ({ stroke: colour(name), width: 2, dash, points: { show: false } });
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("soft") }, ticks: { stroke: colour("soft") } };
    const plot = new uPlot({
      width: parent.clientWidth || 400, height: 200, legend: { show: false }, cursor: { drag: { x: false } },
      scales: { y: { range: (_, low, high) => (low == null ? [0, 1] : [low - Math.max((high - low) * 0.1, 0.5), high + Math.max((high - low) * 0.1, 0.5)]) } },
      axes: [{ ...axis, space: 80, values: (_, moments) => moments.map(time) }, { ...axis, size: 50 }],
      series: [{}, line("measured"), line("there", [4, 4]), line("desired", [10, 5])],
      hooks: { drawClear: [(u) => this.behind(u, command)] },
    }, this.columns(port, command), parent);
    plot.command = command;
    this.plots.set(port, plot);
  }

  // `moments`: when the user did something, in Unix seconds.
  addMarks(moments) {
    this.marks = [...this.marks, ...moments].slice(-MOST);
  }

  behind(u, command) {
    u.ctx.fillStyle = colour("accent");
    for (const moment of this.marks) {
      if (moment > u.scales.x.min) u.ctx.fillRect(u.valToPos(moment, "x", true), u.bbox.top, devicePixelRatio, u.bbox.height);
    }
    if (command) this.band(u, command);
  }

  band(u, command) {
    u.ctx.fillStyle = colour("band");
    let start = null;
    const close = (end) => {
      const x = u.valToPos(start, "x", true);
      u.ctx.fillRect(x, u.bbox.top, u.valToPos(end, "x", true) - x, u.bbox.height);
      start = null;
    };
    for (const sample of this.samples) {
      if (sample.on[command] && start == null) start = sample.t;
      else if (!sample.on[command] && start != null) close(sample.t);
    }
    if (start != null) close(this.samples.at(-1).t);
  }
}
