import type { ReactNode } from "react";

interface SectionProps {
  /** The anchor that the flow and the alerts link to. */
  id: string;
  title: string;
  count: number;
  /** One line for a person who has none of these yet. */
  empty: ReactNode;
  children: ReactNode;
}

/** A titled part of a page; its content shows only when it has some. */
export function Section({ id, title, count, empty, children }: SectionProps) {
  return (
    <section id={id} aria-labelledby={`${id}-title`} className="min-w-0">
      <h2 id={`${id}-title`} className="mb-2 flex items-baseline gap-2 text-base font-semibold">
        {title}
        <span className="text-xs font-normal text-ink-3">{count}</span>
      </h2>
      {count === 0 ? (
        <p className="rounded-lg border border-dashed border-line px-4 py-3 text-ink-2">{empty}</p>
      ) : (
        children
      )}
    </section>
  );
}
