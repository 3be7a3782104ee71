// Bundles a plugin with the SDK and makes a component of it. `tiegel plugin build` runs it in its folder of tools, with
// the request as JSON in the first argument; what is wrong with the plugin goes to stderr.
import { writeFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { componentize } from "componentize-qjs";
import { build, formatMessages } from "esbuild";

/** The interfaces that each world imports and exports. */
const WORLDS = {
  transform: { imports: ["log", "random", "artifacts"], exports: ["meta", "transformer"] },
  estimator: { imports: ["log", "random", "artifacts"], exports: ["meta", "transformer", "fitter"] },
  "request-processor": { imports: ["log", "artifacts"], exports: ["meta", "request"] },
};

const { dir, entry, sdk, wit, world, about, out } = JSON.parse(process.argv[2]);

function componentEntry() {
  const { imports, exports } = WORLDS[world];
  const lines = imports.map((name) => `import ${name} from "tiegel:plugin/${name}@0.1.0";`);
  const host = [
    "log: (level, message, fields) => log.log(level, message, fields)",
    imports.includes("random")
      ? "nextU64: () => BigInt.asUintN(64, BigInt(random.nextU64()))"
      : 'nextU64: () => { throw new Error("a request processor draws no random numbers") }',
    "read: (name, offset, len) => artifacts.read(name, offset, len)",
  ];
  return [
    `import ${JSON.stringify(`${sdk}/src/prelude.ts`)};`,
    ...lines,
    `import { component } from ${JSON.stringify(`${sdk}/src/component.ts`)};`,
    `import * as plugin from ${JSON.stringify(`./${entry}`)};`,
    `export const { ${exports.join(", ")} } = component(plugin.default, ${JSON.stringify(about)}, { ${host.join(", ")} });`,
  ].join("\n");
}

async function bundle() {
  const { outputFiles } = await build({
    stdin: { contents: componentEntry(), resolveDir: dir, sourcefile: "component.js", loader: "js" },
    absWorkingDir: dir,
    bundle: true,
    write: false,
    outfile: "bundle.js",
    sourcemap: "external",
    sourcesContent: false,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2023",
    charset: "utf8",
    external: ["tiegel:*"],
    alias: { "@tiegel/plugin": `${sdk}/src/index.ts` },
    logLevel: "silent",
    // A project's compiler options are for its editor: they must not change what is built.
    tsconfigRaw: {},
  });
  const [map, code] = ["map", "js"].map(
    (end) => outputFiles.find(({ path }) => path.endsWith(`.${end}`)).text,
  );
  return { code, map: new SourceMap(JSON.parse(map)) };
}

/** QuickJS speaks of places in the bundle: the author knows those in the plugin's files. */
function placed(message, map) {
  return message.replace(/componentize-qjs:user\.js:(\d+):(\d+)/g, (place, line, column) => {
    const { originalSource, originalLine, originalColumn } = map.findEntry(
      Number(line) - 1,
      Number(column) - 1,
    );
    return originalSource ? `${originalSource}:${originalLine + 1}:${originalColumn + 1}` : place;
  });
}

async function component({ code, map }) {
  try {
    const made = await componentize({ witPath: wit, jsSource: code, world, stubWasi: true, sync: true });
    return made.component;
  } catch (error) {
    throw new Error(placed(String(error.message ?? error), map).replace(/^: /, ""));
  }
}

try {
  writeFileSync(out, await component(await bundle()));
} catch (error) {
  const messages = error.errors;
  const lines = Array.isArray(messages)
    ? await formatMessages(messages, { kind: "error", color: process.stderr.isTTY ?? false })
    : [String(error.message ?? error)];
  process.stderr.write(`${lines.join("")}\n`);
  process.exitCode = 1;
}
