/**
 * What a component's globals do instead of reaching for a machine that is not there. Evaluated before the plugin, in
 * components only: under node the globals stay as they are.
 */

import { log } from "./host.ts";

const lines = {
  trace: log.trace,
  debug: log.debug,
  log: log.info,
  info: log.info,
  warn: log.warn,
  error: log.error,
};
const writers = Object.entries(lines).map(([name, write]) => [
  name,
  (...values: unknown[]) => write(values.map(String).join(" ")),
]);

function refuse(what: string, instead: string): () => never {
  return () => {
    throw new Error(`${what} is not there in a plugin, whose answers depend on its input alone: ${instead}`);
  };
}

const noClock = refuse("the time", "take it from a column or the config");

class PluginDate extends Date {
  constructor(...parts: unknown[]) {
    if (parts.length === 0) noClock();
    super(...(parts as [number]));
  }

  static override now(): never {
    return noClock();
  }
}

Object.assign(globalThis, {
  console: Object.fromEntries(writers),
  Date: PluginDate,
  performance: { now: noClock },
});
Math.random = refuse("Math.random", "`random` of @tiegel/plugin is seeded by the host");
