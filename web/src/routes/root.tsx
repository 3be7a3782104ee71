import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, Link, Outlet } from "@tanstack/react-router";

export const rootRoute = createRootRouteWithContext<{ queryClient: QueryClient }>()({
  component: Root,
  notFoundComponent: NotFound,
});

function Root() {
  return (
    <>
      <a
        href="#main"
        className="sr-only z-20 rounded-md bg-accent px-3 py-1.5 font-medium text-surface focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to the content
      </a>
      <Outlet />
    </>
  );
}

function NotFound() {
  return (
    <main id="main" className="mx-auto max-w-xl px-6 pt-24">
      <h1 className="font-semibold text-lg">There is no such page</h1>
      <p className="mt-1 text-ink-2">
        <Link to="/" className="font-medium text-accent underline-offset-2 hover:underline">
          Go to the overview
        </Link>
      </p>
    </main>
  );
}
