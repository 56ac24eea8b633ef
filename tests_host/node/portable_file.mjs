// A thread that runs one portable test file on a fresh interpreter: workerData = {build, files, root, file}.

import { parentPort, workerData } from "node:worker_threads";
import { LOOK_MS, machine, random8 } from "./machine.mjs";

let now = Date.now(); // and from here on it is made of what the program waits for, so that a busy machine changes nothing
const host = { wait: (ms) => void (now += ms), random8, ask: () => "!E ENETDOWN" };
const lines = [];
const { build, files, root, file } = workerData;
const python = await machine(build, files, host, () => Math.floor((now += LOOK_MS)), (line) => lines.push(line));
let raised = "";
try {
    python.runPython(`
import sys
sys.path[:] = ["/image"]
import _image
_image.install()
import os
os.chdir("${root}")
sys.argv[:] = ["portable_runner.py", "${root}", "${file}"]
execfile("${root}/tests_host/support/portable_runner.py")
`);
} catch (error) {
    raised = error.message;
}
parentPort.postMessage({ lines, raised });
