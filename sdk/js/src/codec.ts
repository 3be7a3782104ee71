import { PluginError } from "./error.ts";

/**
 * A small binary format for states and partials: a version byte, then little-endian numbers and length-prefixed bytes.
 * The same value always gives the same bytes, and the same ones as the SDKs of the other languages.
 */
export class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** `version` is raised when the meaning of the bytes changes. */
  constructor(version: number) {
    this.u8(version);
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(value: bigint | number): this {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(value), true);
    return this;
  }

  f64(value: number): this {
    const at = this.#grow(8);
    this.#view.setFloat64(at, value, true);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.u32(value.length);
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Makes room, in another buffer where this one is full, and answers where it starts. */
  #grow(by: number): number {
    const at = this.#length;
    this.#length += by;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** Reads what `Writer` wrote; every error says that the state is not this plugin's. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** Throws where the bytes start with another version. */
  constructor(bytes: Uint8Array, version: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length === 0) throw PluginError.badState("the state is empty");
    const found = this.u8();
    if (found !== version) {
      throw PluginError.badState(`the state has version ${found}; version ${version} is needed`);
    }
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  bytes(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }

  /** Throws where bytes are left over. */
  finish(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw PluginError.badState(`the state has ${left} bytes too many`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw PluginError.badState("the state ends early");
    this.#at += length;
    return at;
  }
}
