// node device.mjs BUILD SHIMS: one run of a device. Lines on standard output to whoever plays its surroundings:
//   <ms> <words>    a request; the reply comes as one line on standard input: `<ms> <reply>`, or nothing more to say
//   |<text>         what the device printed
// Before the first request come two lines: the flash as JSON, {path: base64}, and the count of milliseconds it begins with.
// A reply of one word ends the run as a power cut does. Last comes {why, flash}: that word, "over" or "raised".
// `ms`: the device's count of milliseconds, which the host moves on; it stands still while the device computes.

import fs from "node:fs";
import path from "node:path";
import { LOOK_MS, machine, random8 } from "./machine.mjs";

const [build, shims] = process.argv.slice(2);
const here = path.dirname(new URL(import.meta.url).pathname);
const OWN = new Set(["dev", "proc", "tmp", "home", "image", "shims"]);
let now = 0;
let rest = Buffer.alloc(0);

function tell(text) {
    for (let data = Buffer.from(`${text}\n`); data.length; ) data = data.subarray(fs.writeSync(1, data));
}
function hear() {
    const piece = Buffer.alloc(65536);
    while (!rest.includes(10)) {
        const n = fs.readSync(0, piece);
        if (!n) return null;
        rest = Buffer.concat([rest, piece.subarray(0, n)]);
    }
    const end = rest.indexOf(10);
    const line = rest.subarray(0, end).toString();
    rest = rest.subarray(end + 1);
    return line;
}
function flash(folder = "", found = {}) {
    for (const name of python.FS.readdir(folder || "/")) {
        if (name === "." || name === ".." || (folder === "" && OWN.has(name))) continue;
        const at = `${folder}/${name}`;
        if (python.FS.isDir(python.FS.stat(at).mode)) flash(at, found);
        else found[at.slice(1)] = Buffer.from(python.FS.readFile(at)).toString("base64");
    }
    return found;
}
// No power any more, in the middle of whatever it does.
function end(why) {
    tell(JSON.stringify({ why, flash: flash() }));
    process.exit(0);
}
function ask(words) {
    tell(`${now} ${words}`);
    const line = hear();
    const cut = line === null ? -1 : line.indexOf(" ");
    if (cut < 0) end(line ?? "off");
    now = Math.max(now, Number(line.slice(0, cut)));
    return line.slice(cut + 1);
}

const files = new Map(Object.entries(JSON.parse(hear())).map(([name, text]) => [`/${name}`, Buffer.from(text, "base64")]));
for (const [from, to] of [[`${here}/image`, "/image"], [shims, "/shims"]]) {
    for (const name of fs.readdirSync(from)) {
        if (name.endsWith(".py") && !(to === "/shims" && name.startsWith("_"))) files.set(`${to}/${name}`, fs.readFileSync(`${from}/${name}`));
    }
}
const host = {
    ask,
    wait: (ms) => void ask(`wait ${ms}`),
    random8,
};
const python = await machine(build, files, host, () => Math.floor((now += LOOK_MS)), (line) => tell(`|${line}`));
now = Number(hear());
try {
    python.runPython('import sys\nsys.path[:] = ["/image"]\nimport _device\n_device.start()');
    end("over");
} catch (error) {
    tell(`|${error.message}`);
    end("raised");
}
