/** Bit `i` of Arrow's bitmap: least significant first. */
export function bit(bytes: Uint8Array, i: number): boolean {
  return (((bytes[i >> 3] ?? 0) >> (i & 7)) & 1) === 1;
}

export function setBit(bytes: Uint8Array, i: number): void {
  bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
}

/** `bits` zeros. */
export function zeros(bits: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array((bits + 7) >> 3);
}

/** How many of the first `len` bits are set. */
export function countOnes(bytes: Uint8Array, len: number): number {
  let ones = 0;
  for (let i = 0; i < len; i++) {
    if ((i & 7) === 0 && bytes[i >> 3] === 0xff && i + 8 <= len) {
      ones += 8;
      i += 7;
    } else if (bit(bytes, i)) {
      ones++;
    }
  }
  return ones;
}
