import { useNow } from "../lib/now";
import { absoluteTime, duration, relativeTime } from "../lib/time";

/** How long ago; the exact time is the title. */
export function RelativeTime({ at }: { at: number }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={absoluteTime(at)} className="whitespace-nowrap">
      {relativeTime(at, useNow())}
    </time>
  );
}

/** From start to end, or counting while there is no end. */
export function Elapsed({ start, end }: { start: number; end?: number | null | undefined }) {
  const now = useNow();
  return <span className="whitespace-nowrap">{duration((end ?? Math.max(now, start)) - start)}</span>;
}
