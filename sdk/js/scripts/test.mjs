// Runs every *.test.ts of the SDK, its examples and the first-party plugins under node: `node scripts/test.mjs [FILE…]`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const sdk = fileURLToPath(new URL("..", import.meta.url));
const named = process.argv.slice(2).map((file) => resolve(file));
const folders = [
  join(sdk, "test"),
  ...subfolders(join(sdk, "examples")),
  ...subfolders(join(sdk, "../../plugins")),
];
const files = named.length > 0 ? named : folders.flatMap(testsIn);

function subfolders(folder) {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
}

function testsIn(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join(folder, name));
}

const out = mkdtempSync(join(tmpdir(), "tiegel-js-tests-"));
try {
  buildSync({
    entryPoints: files,
    outbase: join(sdk, "../.."),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    define: { "import.meta.dirname": JSON.stringify(join(sdk, "test")) },
    alias: {
      "@tiegel/plugin/testing": join(sdk, "src/testing.ts"),
      "@tiegel/plugin": join(sdk, "src/index.ts"),
    },
  });
  const built = files.map((file) =>
    join(out, file.slice(join(sdk, "../..").length)).replace(/\.ts$/, ".mjs"),
  );
  const tested = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...built], {
    stdio: "inherit",
  });
  process.exitCode = tested.status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
