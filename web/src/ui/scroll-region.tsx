import type { ReactNode } from "react";

interface ScrollRegionProps {
  label: string;
  className?: string;
  children: ReactNode;
}

/** A region that scrolls sideways when it must; the keyboard reaches it, so that the arrow keys scroll it. */
export function ScrollRegion({ label, className = "", children }: ScrollRegionProps) {
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll the region
      tabIndex={0}
      className={`overflow-x-auto -outline-offset-2 ${className}`}
    >
      {children}
    </section>
  );
}
