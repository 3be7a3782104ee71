import type { ReactNode } from "react";

const PATHS = {
  copy: (
    <>
      <rect x="5.5" y="5.5" width="8" height="8" rx="1.6" />
      <path d="M10.5 5.5V4a1.5 1.5 0 0 0-1.5-1.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5" />
    </>
  ),
  done: <path d="m3 8.5 3.2 3.2L13 4.8" />,
  sun: (
    <>
      <circle cx="8" cy="8" r="2.9" />
      <path d="M8 1.4v1.4M8 13.2v1.4M1.4 8h1.4M13.2 8h1.4M3.3 3.3l1 1M11.7 11.7l1 1M12.7 3.3l-1 1M4.3 11.7l-1 1" />
    </>
  ),
  moon: <path d="M13.4 9.7A5.7 5.7 0 0 1 6.3 2.6a5.7 5.7 0 1 0 7.1 7.1z" />,
  system: (
    <>
      <rect x="1.8" y="2.5" width="12.4" height="8.6" rx="1.4" />
      <path d="M5.5 13.8h5M8 11.2v2.6" />
    </>
  ),
  chevron: <path d="m6 3.5 4.5 4.5L6 12.5" />,
  unfold: <path d="m5 6.2 3-3 3 3M5 9.8l3 3 3-3" />,
  warning: (
    <path d="M8 5.6v3.2M8 11.3v.1M7 2.4 1.5 12a1.1 1.1 0 0 0 1 1.7h11a1.1 1.1 0 0 0 1-1.7L9 2.4a1.2 1.2 0 0 0-2 0z" />
  ),
  star: (
    <path
      d="m8 2.2 1.75 3.6 3.95.55-2.85 2.8.67 3.95L8 11.25 4.48 13.1l.67-3.95-2.85-2.8 3.95-.55z"
      fill="currentColor"
    />
  ),
} satisfies Record<string, ReactNode>;

/** A drawing beside words that say the same; it is hidden from screen readers. */
export function Icon({ name, className = "" }: { name: keyof typeof PATHS; className?: string }) {
  return (
    <svg
      viewBox="0 0 16 16"
      width="14"
      height="14"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
      className={`shrink-0 ${className}`}
    >
      {PATHS[name]}
    </svg>
  );
}
