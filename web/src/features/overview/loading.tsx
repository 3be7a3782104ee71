const STOPS = ["datasets", "pipelines", "runs", "models", "endpoints"];
const TABLES = [
  { key: "datasets", rows: ["a", "b", "c"] },
  { key: "pipelines", rows: ["a", "b"] },
  { key: "runs", rows: ["a", "b", "c", "d"] },
];

/** The page's outline while the first answer is on its way. */
export function OverviewSkeleton() {
  return (
    <div role="status" className="grid grid-cols-1 gap-7">
      <span className="sr-only">Loading the project</span>
      <div className="grid grid-cols-2 rounded-lg border border-line bg-surface md:grid-cols-5">
        {STOPS.map((stop) => (
          <div key={stop} className="grid gap-2.5 px-4 py-4">
            <Bar className="w-16" />
            <Bar className="h-5 w-8" />
            <Bar className="w-24" />
          </div>
        ))}
      </div>
      {TABLES.map(({ key, rows }) => (
        <div key={key}>
          <Bar className="mb-3 w-20" />
          <div className="rounded-lg border border-line bg-surface">
            {rows.map((row) => (
              <div key={row} className="flex h-9 items-center gap-8 border-line px-4 not-last:border-b">
                <Bar className="w-28" />
                <Bar className="w-20" />
                <Bar className="ml-auto w-16" />
              </div>
            ))}
          </div>
        </div>
      ))}
    </div>
  );
}

function Bar({ className }: { className: string }) {
  return <div className={`skeleton h-3 ${className}`} />;
}
