// An aedes with TLS on loopback, for tests: node aedes.mjs MODULES PORT LEAF [USER PASSWORD]
import fs from "node:fs";
import { createRequire } from "node:module";
import tls from "node:tls";
import { pathToFileURL } from "node:url";

const [modules, port, leaf, user, password] = process.argv.slice(2);
const { Aedes } = await import(pathToFileURL(createRequire(`${modules}/`).resolve("aedes")));
const aedes = await Aedes.createBroker({
  authenticate: (client, name, secret, done) => {
    if (!user || name === user && String(secret) === password) return done(null, true);
    const refused = new Error("not authorized");
    refused.returnCode = 4;
    done(refused, false);
  },
});
const pem = fs.readFileSync(leaf);
tls.createServer({ cert: pem, key: pem }, aedes.handle).listen(Number(port), "127.0.0.1");
