import type { Job } from "../../api/queries";
import { CopyId } from "../../ui/copy";
import { Section } from "../../ui/section";
import { StateBadge } from "../../ui/state";
import { type Column, None, Table } from "../../ui/table";
import { Elapsed, RelativeTime } from "../../ui/time";

const COLUMNS: Column<Job>[] = [
  { title: "Target", cell: (job) => job.target },
  { title: "State", cell: (job) => <StateBadge state={job.state} /> },
  { title: "Steps", cell: (job) => <Progress job={job} /> },
  {
    title: "Took",
    numeric: true,
    cell: (job) =>
      job.started_ms == null ? <None /> : <Elapsed start={job.started_ms} end={job.finished_ms} />,
  },
  { title: "Job", cell: (job) => <CopyId id={job.id} what="job id" /> },
  { title: "Created", numeric: true, cell: (job) => <RelativeTime at={job.created_ms} /> },
];

export function Jobs({ jobs }: { jobs: Job[] }) {
  const newestFirst = jobs.toSorted((a, b) => b.created_ms - a.created_ms);
  return (
    <Section id="jobs" title="Jobs" count={jobs.length} empty="A job is one run of a pipeline or a training.">
      <Table
        caption="Jobs"
        columns={COLUMNS}
        rows={newestFirst}
        rowKey={(job) => job.id}
        note={(job) => job.error && <p className="whitespace-pre-wrap break-words text-bad">{job.error}</p>}
      />
    </Section>
  );
}

function Progress({ job: { steps_done, steps_total, target, state } }: { job: Job }) {
  if (steps_total === 0) return <None />;
  const bar = state === "failed" ? "bg-bad" : state === "running" ? "bg-accent" : "bg-good";
  return (
    <span className="inline-flex items-center gap-2 align-top">
      <span
        role="progressbar"
        aria-label={`Steps of ${target}`}
        aria-valuenow={steps_done}
        aria-valuemin={0}
        aria-valuemax={steps_total}
        className="h-1 w-16 overflow-hidden rounded-full bg-line"
      >
        <span className={`block h-full ${bar}`} style={{ width: `${(100 * steps_done) / steps_total}%` }} />
      </span>
      {steps_done}/{steps_total}
    </span>
  );
}
