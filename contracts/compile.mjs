// Compiles CountersignRegistry.sol into Registry.json; with --check compares instead of writing.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const read = (name) => readFileSync(join(here, name), "utf8");
const wanted = JSON.parse(read("package.json")).devDependencies.solc;
if (!solc.version().startsWith(`${wanted}+`)) {
  console.error(`solc ${wanted} is pinned, found ${solc.version()}`);
  process.exit(2);
}

const sources = ["ICountersignRegistry.sol", "CountersignRegistry.sol"];
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: Object.fromEntries(sources.map((name) => [name, { content: read(name) }])),
      settings: {
        evmVersion: "cancun",
        optimizer: { enabled: true, runs: 10000 },
        // Without metadata the bytecode depends on the code alone, not on comments or paths.
        metadata: { bytecodeHash: "none", appendCBOR: false },
        outputSelection: {
          "CountersignRegistry.sol": {
            CountersignRegistry: ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"],
          },
        },
      },
    }),
  ),
);
for (const { formattedMessage } of output.errors ?? []) console.error(formattedMessage);
if (output.errors?.length) process.exit(2); // a warning is an error here

const { abi, evm } = output.contracts["CountersignRegistry.sol"].CountersignRegistry;
const artefact =
  JSON.stringify(
    {
      contractName: "CountersignRegistry",
      abi,
      bytecode: `0x${evm.bytecode.object}`,
      deployedBytecode: `0x${evm.deployedBytecode.object}`,
    },
    null,
    1,
  ) + "\n";

if (!process.argv.includes("--check")) {
  writeFileSync(join(here, "Registry.json"), artefact);
} else if (read("Registry.json") !== artefact) {
  console.error("Registry.json is not what the sources compile to: run `node compile.mjs`");
  process.exit(1);
}
