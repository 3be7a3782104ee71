import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";
import type { Plugin } from "vite";

const COMPRESSED = /\.(html|js|css|svg|json)$/;
const COMPRESSED_BYTES_MIN = 1024;
const compress = promisify(brotliCompress);

/** Writes a `.br` twin beside each text file of the build; the server sends it to those who accept it. */
export function brotliTwins(): Plugin {
  let outDir = "";
  return {
    name: "brotli-twins",
    apply: "build",
    configResolved(config) {
      outDir = join(config.root, config.build.outDir);
    },
    async closeBundle() {
      const entries = await readdir(outDir, { recursive: true, withFileTypes: true });
      const texts = entries.filter((entry) => entry.isFile() && COMPRESSED.test(entry.name));
      await Promise.all(texts.map((entry) => writeTwin(join(entry.parentPath, entry.name))));
    },
  };
}

async function writeTwin(path: string) {
  const bytes = await readFile(path);
  if (bytes.length < COMPRESSED_BYTES_MIN) return;
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  await writeFile(`${path}.br`, await compress(bytes, { params }));
}
