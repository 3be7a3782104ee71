/** The types that a group's column may have. */
export const GROUP_TYPES = ["utf8", "int64", "float64", "boolean"] as const;

export type GroupType = (typeof GROUP_TYPES)[number];

export type Cell = string | bigint | number | boolean;

/** A text to a value of a type; null where it is none. */
export interface Conversion {
  readonly dtype: GroupType;
  parse(text: string): Cell | null;
}

const INTEGER = /^[+-]?\d{1,19}$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

const PARSERS: { readonly [T in GroupType]: (text: string) => Cell | null } = {
  utf8: (text) => text,
  int64(text) {
    if (!INTEGER.test(text)) return null;
    const value = BigInt(text.replace("+", ""));
    return value < INT64_MIN || value > INT64_MAX ? null : value;
  },
  float64(text) {
    if (!DECIMAL.test(text)) return null;
    const value = Number(text);
    return Number.isFinite(value) ? value : null;
  },
  boolean(text) {
    const lower = text.toLowerCase();
    return lower === "true" ? true : lower === "false" ? false : null;
  },
};

export function conversion(dtype: GroupType): Conversion {
  return { dtype, parse: PARSERS[dtype] };
}
