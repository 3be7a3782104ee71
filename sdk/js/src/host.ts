import type { Level } from "./contract.gen.ts";
import { PluginError } from "./error.ts";

/** What a plugin is given: by the host in a component, by the harness under node. */
export interface Host {
  log(level: Level, message: string, fields: [string, string][]): void;
  nextU64(): bigint;
  /** Bytes of an artifact from an offset; at most `len`. Throws where it was not granted. */
  read(name: string, offset: bigint, len: number): Uint8Array;
}

/** Bytes of an artifact that one read asks for. */
const READ_BYTES = 1 << 20;

const nobody: Host = {
  log() {},
  nextU64() {
    throw PluginError.unsupported(
      "there is no host here: start the plugin with `start` of @tiegel/plugin/testing",
    );
  },
  read(name) {
    throw PluginError.unsupported(`there is no host here that would give '${name}'`);
  },
};

let host: Host = nobody;

/** Of this module, and so of all plugins in one process: a component holds one only. */
export function setHost(given: Host): void {
  host = given;
}

type Fields = Readonly<Record<string, unknown>>;

function line(level: Level, message: string, fields: Fields = {}): void {
  const texts = Object.entries(fields).map(([key, value]): [string, string] => [key, String(value)]);
  host.log(level, message, texts);
}

/** Lines for the host's log, which cuts long ones and drops them after a limit. */
export const log = {
  trace: (message: string, fields?: Fields) => line("trace", message, fields),
  debug: (message: string, fields?: Fields) => line("debug", message, fields),
  info: (message: string, fields?: Fields) => line("info", message, fields),
  warn: (message: string, fields?: Fields) => line("warn", message, fields),
  error: (message: string, fields?: Fields) => line("error", message, fields),
};

/**
 * A number from 0 up to 1 that the host seeds from plugin, config and chunk, so that a re-run sees the same ones. It
 * traps inside the `transform` of a row-wise plugin. `Math.random` throws in a component.
 */
export function random(): number {
  return Number(host.nextU64() >> 11n) / 2 ** 53;
}

/** The whole of a file that was granted to the plugin: a vocabulary, a lookup table. */
export function artifact(name: string): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const part = read(name, length);
    parts.push(part);
    length += part.length;
    if (part.length < READ_BYTES) break;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function read(name: string, offset: number): Uint8Array {
  try {
    return host.read(name, BigInt(offset), READ_BYTES);
  } catch (error) {
    // The contract's error is a text; an instance of an error class came from the harness.
    throw error instanceof Error ? error : PluginError.unsupported(String(error));
  }
}
