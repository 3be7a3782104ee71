import { useQuery } from "@tanstack/react-query";
import { createRoute, useNavigate } from "@tanstack/react-router";
import { isBusy, overviewQuery } from "../api/queries";
import { Header } from "../features/overview/header";
import { Live } from "../features/overview/live";
import { OverviewSkeleton } from "../features/overview/loading";
import { OverviewSections } from "../features/overview/overview";
import { Failure } from "../ui/failure";
import { rootRoute } from "./root";

interface OverviewSearch {
  project?: string;
}

export const overviewRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  validateSearch: ({ project }: Record<string, unknown>): OverviewSearch =>
    // A name of digits arrives as a number.
    typeof project === "string" || typeof project === "number" ? { project: String(project) } : {},
  loaderDeps: ({ search: { project } }) => ({ project }),
  loader: ({ context, deps }) => void context.queryClient.prefetchQuery(overviewQuery(deps.project)),
  component: OverviewPage,
});

function OverviewPage() {
  const { project: wanted } = overviewRoute.useSearch();
  const navigate = useNavigate();
  const query = useQuery(overviewQuery(wanted));
  const { data, error, isPlaceholderData, isFetching } = query;
  const refused = error !== null && (data === undefined || isPlaceholderData);
  const project = wanted ?? data?.project;
  const known = data?.projects.map(({ name }) => name) ?? [];
  const projects = project === undefined || known.includes(project) ? known : [project, ...known];

  return (
    <>
      <title>{project === undefined ? "Tiegel" : `${project} · Tiegel`}</title>
      <Header
        projects={projects}
        project={project}
        version={data?.version}
        onProject={(name) => navigate({ to: "/", search: { project: name } })}
        live={data && <Live updatedAt={query.dataUpdatedAt} busy={isBusy(data)} lost={error !== null} />}
      />
      <main id="main" tabIndex={-1} className="mx-auto max-w-[1280px] px-6 pt-6 pb-20 outline-none">
        <h1 className="sr-only">Overview of {project ?? "the project"}</h1>
        {refused ? (
          <Failure error={error} retry={() => query.refetch()} retrying={isFetching} />
        ) : data === undefined ? (
          <OverviewSkeleton />
        ) : (
          <div
            aria-busy={isPlaceholderData}
            className={isPlaceholderData ? "opacity-50 transition-opacity" : ""}
          >
            <OverviewSections overview={data} />
          </div>
        )}
      </main>
    </>
  );
}
