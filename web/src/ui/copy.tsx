import { useEffect, useState } from "react";
import { shortId } from "../lib/format";
import { Icon } from "./icon";

const CONFIRM_MS = 1_500;

/** Copies, and says so to eyes and screen readers. The clipboard is closed to plain-HTTP pages off localhost. */
function useCopy(text: string) {
  const [outcome, setOutcome] = useState<"copied" | "failed">();
  useEffect(() => {
    if (outcome === undefined) return;
    const timer = setTimeout(() => setOutcome(undefined), CONFIRM_MS);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = () => {
    const write = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error("no clipboard"));
    write.then(
      () => setOutcome("copied"),
      () => setOutcome("failed"),
    );
  };
  return { outcome, copy };
}

function Announcement({ outcome }: { outcome: "copied" | "failed" | undefined }) {
  const text =
    outcome === "copied" ? "Copied" : outcome === "failed" ? "Could not copy: select the text instead" : "";
  return (
    <span className="sr-only" aria-live="polite">
      {text}
    </span>
  );
}

/** A button with an icon, for the text that `what` names. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const { outcome, copy } = useCopy(text);
  return (
    <button
      type="button"
      onClick={copy}
      aria-label={`Copy ${what}`}
      title={outcome === "failed" ? "Could not copy: select the text instead" : `Copy ${what}`}
      className="inline-flex size-6 items-center justify-center rounded text-ink-3 hover:bg-raised hover:text-ink"
    >
      <Icon
        name={outcome === "copied" ? "done" : "copy"}
        className={outcome === "copied" ? "text-good" : ""}
      />
      <Announcement outcome={outcome} />
    </button>
  );
}

/** A short id that copies the whole one. */
export function CopyId({ id, what }: { id: string; what: string }) {
  const { outcome, copy } = useCopy(id);
  return (
    <button
      type="button"
      onClick={copy}
      title={outcome === "failed" ? "Could not copy: select the text instead" : `${id} (click to copy)`}
      aria-label={`Copy ${what} ${shortId(id)}`}
      className="group -mx-1 inline-flex items-center align-top gap-1 rounded px-1 font-mono text-xs/5 text-ink-2 hover:bg-raised hover:text-ink"
    >
      {shortId(id)}
      <Icon
        name={outcome === "copied" ? "done" : "copy"}
        className={
          outcome === "copied"
            ? "text-good"
            : "opacity-0 group-hover:opacity-100 group-focus-visible:opacity-100"
        }
      />
      <Announcement outcome={outcome} />
    </button>
  );
}
