import { useNow } from "../../lib/now";
import { relativeTime } from "../../lib/time";

interface LiveProps {
  updatedAt: number;
  busy: boolean;
  /** The last poll failed; what is shown is old. */
  lost: boolean;
}

/** How fresh the page is. */
export function Live({ updatedAt, busy, lost }: LiveProps) {
  const ago = relativeTime(updatedAt, useNow());
  const dot = lost ? "bg-bad" : busy ? "bg-accent pulse" : "bg-good";
  return (
    <span className="inline-flex items-center gap-2 whitespace-nowrap text-xs">
      <span aria-hidden="true" className={`size-2 rounded-full ${dot}`} />
      <span role="status">{lost ? "Connection lost" : busy ? "Working" : "Idle"}</span>
      <span className="hidden text-ink-3 sm:inline">updated {ago}</span>
    </span>
  );
}
