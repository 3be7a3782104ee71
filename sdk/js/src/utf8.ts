/**
 * UTF-8 in both directions. QuickJS has no TextDecoder, and its loops over bytes are slow: what can be, is left to
 * functions that it runs natively.
 */

const encoder = typeof TextEncoder === "function" ? new TextEncoder() : undefined;
const decoder =
  typeof TextDecoder === "function" ? new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }) : undefined;

/** Arguments of one call that QuickJS takes safely. */
const ARGUMENTS_MAX = 8_192;

/** One character for each byte. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let from = 0; from < bytes.length; from += ARGUMENTS_MAX) {
    const part = bytes.subarray(from, from + ARGUMENTS_MAX);
    text += String.fromCharCode.apply(null, part as unknown as number[]);
  }
  return text;
}

/** Whether each of its bytes is a character of its own. */
export function isAscii(latin1: string): boolean {
  return !/[\x80-\xff]/.test(latin1);
}

/** Throws where the bytes are not UTF-8. */
export function decode(bytes: Uint8Array): string {
  if (decoder !== undefined) return decoder.decode(bytes);
  const text = latin1(bytes);
  return isAscii(text) ? text : decodeURIComponent(escape(text));
}

/** Half a surrogate pair becomes the replacement character. */
export function encode(text: string): Uint8Array {
  if (encoder !== undefined) return encoder.encode(text);
  const binary = unescape(encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, "\ufffd")));
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
