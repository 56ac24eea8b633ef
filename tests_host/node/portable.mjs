// node portable.mjs BUILD TREE LIMIT_S FILE...: portable test files, each in a thread and an interpreter of its own.
// One line of JSON for each as it ends: {file, lines, raised} or {file, lines: [], raised, crashed: true}.

import fs from "node:fs";
import path from "node:path";
import { Worker } from "node:worker_threads";

const [build, tree, limitS, ...tests] = process.argv.slice(2);
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);

// What a portable test may use: the device, and the helpers of the tests that run on both interpreters.
const PARTS = ["boot.py", "main.py", "config.example.json", "firmware", "lib", "tests_host/__init__.py", "tests_host/portable", "tests_host/support", "tests_host/vectors", "tools/__init__.py", "tools/cloud"];
const files = new Map();
function take(from, to, wanted) {
    if (fs.statSync(from).isDirectory()) {
        for (const name of fs.readdirSync(from)) take(`${from}/${name}`, `${to}/${name}`, wanted);
    } else if (wanted.test(from)) {
        files.set(to, fs.readFileSync(from));
    }
}
for (const part of PARTS) take(`${tree}/${part}`, `/tree/${part}`, /\.(py|json|txt)$/);
take(`${here}/image`, "/image", /\.py$/);

function run(test) {
    const own = new Map(files).set(`/tests/${path.basename(test)}`, fs.readFileSync(test));
    const inTree = path.resolve(test).startsWith(`${path.resolve(tree)}/`);
    const file = inTree ? `/tree/${path.relative(tree, test)}` : `/tests/${path.basename(test)}`;
    return new Promise((resolve) => {
        const worker = new Worker(new URL("./portable_file.mjs", import.meta.url), { workerData: { build, files: own, root: "/tree", file } });
        const crashed = (raised) => resolve({ file: test, lines: [], raised, crashed: true });
        const timer = setTimeout(() => { crashed(`no end after ${limitS} s`); worker.terminate(); }, limitS * 1000);
        worker.once("message", (found) => resolve({ file: test, ...found }));
        worker.once("error", (error) => crashed(String(error)));
        worker.once("exit", (status) => { clearTimeout(timer); crashed(`exit status ${status}`); });
    });
}
for (const test of tests) {
    const begun = performance.now();
    const found = await run(test);
    process.stdout.write(`${JSON.stringify({ ...found, seconds: (performance.now() - begun) / 1000 })}\n`);
}
