// Fails when what a first visit loads is over the budget: every file that index.html names, and what those name in turn.
import { readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";

const BUDGET_BYTES_MAX = 250 * 1024;
const DIST = new URL("../dist/", import.meta.url);
const SECONDARY = /\.(woff2)$/;

/** The files that a text names: all of a page's, and of a style sheet its fonts. A dynamic import is lazy, so not initial. */
function named(text, wanted) {
  const found = [
    ...text.matchAll(/(?:src|href)="\/([^"]+)"|url\(["']?\/([^)"']+)["']?\)|from\s*"\.\/([^"]+)"/g),
  ];
  const paths = found.map(([, page, style, module]) => page ?? style ?? `assets/${module}`);
  return paths.filter((path) => wanted.test(path));
}

const sizes = new Map();
const queue = ["index.html"];
while (queue.length > 0) {
  const path = queue.pop();
  if (sizes.has(path)) continue;
  const bytes = readFileSync(new URL(path, DIST));
  sizes.set(path, SECONDARY.test(path) ? bytes.length : brotliCompressSync(bytes).length);
  if (path.endsWith(".html")) queue.push(...named(bytes.toString(), /\.(js|css|svg)$/));
  if (path.endsWith(".css")) queue.push(...named(bytes.toString(), SECONDARY));
  if (path.endsWith(".js")) queue.push(...named(bytes.toString(), /\.js$/));
}

const total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`.padStart(11);
for (const [path, bytes] of [...sizes].sort((a, b) => b[1] - a[1])) console.log(`${kib(bytes)}  ${path}`);
console.log(`${kib(total)}  initial, with Brotli; at most ${kib(BUDGET_BYTES_MAX).trim()}`);
if (total > BUDGET_BYTES_MAX) {
  console.error("Over the budget: load what the first page does not need with a dynamic import.");
  process.exit(1);
}
