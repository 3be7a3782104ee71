import type { ReactNode } from "react";
import { lookOf, type Shape, type Tone } from "../lib/state";

const TONES: Record<Tone, string> = {
  good: "text-good",
  bad: "text-bad",
  active: "text-accent",
  quiet: "text-ink-3",
};

const SHAPES: Record<Shape, ReactNode> = {
  check: (
    <>
      <circle cx="8" cy="8" r="6.6" fill="currentColor" stroke="none" />
      <path d="m5.1 8.3 2 2 3.8-4.3" className="stroke-surface" strokeWidth="1.6" />
    </>
  ),
  cross: (
    <>
      <path d="M5.3 1.4h5.4l3.9 3.9v5.4l-3.9 3.9H5.3l-3.9-3.9V5.3z" fill="currentColor" stroke="none" />
      <path d="m5.9 5.9 4.2 4.2m0-4.2-4.2 4.2" className="stroke-surface" strokeWidth="1.6" />
    </>
  ),
  spinner: (
    <>
      <circle cx="8" cy="8" r="5.8" strokeOpacity="0.25" strokeWidth="2" />
      <path d="M8 2.2A5.8 5.8 0 0 1 13.8 8" strokeWidth="2" className="spin" />
    </>
  ),
  layers: (
    <>
      <path d="M8 2.2 14 5.3 8 8.4 2 5.3z" fill="currentColor" />
      <path d="m2.4 8.3 5.6 2.9 5.6-2.9M2.4 11l5.6 2.9 5.6-2.9" />
    </>
  ),
  hollow: <circle cx="8" cy="8" r="5.8" strokeDasharray="2.4 2.1" />,
  clock: (
    <>
      <circle cx="8" cy="8" r="5.9" />
      <path d="M8 4.7V8l2.2 1.5" />
    </>
  ),
  slash: (
    <>
      <circle cx="8" cy="8" r="5.9" />
      <path d="m4 12 8-8" />
    </>
  ),
};

/** The state's shape alone; put the word beside it. */
export function StateMark({ state }: { state: string | null | undefined }) {
  const { tone, shape } = lookOf(state);
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
      className={`shrink-0 ${TONES[tone]}`}
    >
      {SHAPES[shape]}
    </svg>
  );
}

/** Shape and word. */
export function StateBadge({ state }: { state: string | null | undefined }) {
  const { label, tone } = lookOf(state);
  return (
    <span
      className={`inline-flex items-center gap-1.5 whitespace-nowrap align-top font-medium ${TONES[tone]}`}
    >
      <StateMark state={state} />
      {label}
    </span>
  );
}
