import type { Step } from "../../api/queries";
import { compactCount, count } from "../../lib/format";
import { lookOf } from "../../lib/state";
import { duration } from "../../lib/time";
import { ScrollRegion } from "../../ui/scroll-region";
import { StateMark } from "../../ui/state";

interface StripProps {
  pipeline: string;
  steps: Step[];
  /** The first step that an endpoint runs. */
  boundary: string | null;
}

/** The steps from left to right. What stands right of the boundary runs in training and in the endpoint alike. */
export function Strip({ pipeline, steps, boundary }: StripProps) {
  const at = boundary === null ? -1 : steps.findIndex((step) => step.name === boundary);
  const offline = at < 0 ? steps : steps.slice(0, at);
  const served = at < 0 ? [] : steps.slice(at);
  return (
    <ScrollRegion label={`Steps of ${pipeline}`}>
      <div className="flex w-max items-stretch p-4">
        {offline.length > 0 && <Steps label={at < 0 ? undefined : "Training only"} steps={offline} />}
        {served.length > 0 && (
          <>
            {offline.length > 0 && <Boundary />}
            <Steps label="Same bytes in training and in the endpoint" steps={served} hot />
          </>
        )}
      </div>
    </ScrollRegion>
  );
}

function Steps({ label, steps, hot = false }: { label: string | undefined; steps: Step[]; hot?: boolean }) {
  const look = hot ? "border-accent-line bg-accent-soft" : "border-transparent bg-raised";
  return (
    <div className={label === undefined ? "" : `rounded-lg border px-3 pt-2 pb-3 ${look}`}>
      {label !== undefined && (
        <p className={`mb-2 whitespace-nowrap text-2xs ${hot ? "text-accent" : "text-ink-3"}`}>{label}</p>
      )}
      <ol className="flex items-center">
        {steps.map((step, index) => (
          <li key={step.name} className="flex items-center">
            {index > 0 && <span aria-hidden="true" className="h-px w-4 bg-line-strong" />}
            <StepBox step={step} />
          </li>
        ))}
      </ol>
    </div>
  );
}

/** A line with its meaning, read aloud between the two lists. */
function Boundary() {
  return (
    <div className="relative flex w-11 items-center justify-center">
      <span aria-hidden="true" className="absolute inset-x-0 top-1/2 mt-3 h-px bg-line-strong" />
      <span
        aria-hidden="true"
        className="absolute inset-y-0 left-1/2 border-accent border-l-2 border-dashed"
      />
      <span className="sr-only">Serving boundary: an endpoint runs the steps from here on.</span>
    </div>
  );
}

function StepBox({ step }: { step: Step }) {
  const { label, tone } = lookOf(step.cached ? "cached" : step.state);
  const edge = tone === "bad" ? "border-bad" : tone === "active" ? "border-accent" : "border-line-strong";
  const rows = step.rows == null ? "" : `${compactCount(step.rows)} rows`;
  const title = [
    `${step.name} (${step.kind}): ${label}`,
    step.rows == null ? "" : `${count(step.rows)} rows`,
    step.cached ? "its output was stored already, by content" : "",
  ];
  return (
    <div
      title={title.filter((part) => part !== "").join(", ")}
      className={`min-w-36 rounded-md border bg-surface px-3 py-1.5 ${edge}`}
    >
      <div className="flex items-center gap-1.5">
        <StateMark state={step.cached ? "cached" : step.state} />
        <span className="font-medium">{step.name}</span>
        <span className="ml-auto pl-3 font-mono text-2xs text-ink-3">{step.kind}</span>
      </div>
      <div className="flex justify-between gap-3 text-ink-2 text-xs">
        <span>{step.cached || step.duration_ms == null ? label : duration(step.duration_ms)}</span>
        <span>{rows}</span>
      </div>
    </div>
  );
}
