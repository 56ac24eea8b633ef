// One interpreter: a MicroPython build of npm in this thread, with files, a clock and one JavaScript module.

import { randomBytes } from "node:crypto";
import { pathToFileURL } from "node:url";

// The builds are made with checks that ask the table of functions in every call through JavaScript: remember what it said.
const { get, set, grow } = WebAssembly.Table.prototype;
const known = [];
const table = WebAssembly.Table.prototype;
table.get = function (index) { return (known[index] ??= get.call(this, index)); };
table.set = function (index, value) { known.length = 0; return set.call(this, index, value); };
table.grow = function (...args) { known.length = 0; return grow.apply(this, args); };

// Time that passes at each look at a clock, so that nobody waits for ever for a moment to pass.
export const LOOK_MS = 0.001;

// Put `files` (path: bytes) in its file system, start it, and give it the module `_host` with the functions `host`.
// `now()`: milliseconds since any moment; what the interpreter takes for the time, in C and in Python.
export async function machine(build, files, host, now, print) {
    Date.now = now; // the only clock this port reads
    const { loadMicroPython } = await import(pathToFileURL(`${build}/micropython.mjs`));
    const python = await loadMicroPython({ heapsize: 8 << 20, pystack: 64 << 10, stdin: () => null, stdout: print, stderr: print });
    for (const [path, content] of files) {
        python.FS.mkdirTree(path.slice(0, path.lastIndexOf("/")) || "/");
        python.FS.writeFile(path, content);
    }
    python.registerJsModule("_host", host);
    return python;
}

export function random8() {
    return randomBytes(1)[0];
}
