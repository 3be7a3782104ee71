import { QueryClient } from "@tanstack/react-query";
import { createRouter } from "@tanstack/react-router";
import { overviewRoute } from "./routes/overview";
import { rootRoute } from "./routes/root";

export const queryClient = new QueryClient({
  // A hidden tab does not poll, so it asks at once when it is looked at again.
  defaultOptions: { queries: { refetchOnWindowFocus: "always", staleTime: 1_000 } },
});

export const router = createRouter({
  routeTree: rootRoute.addChildren([overviewRoute]),
  context: { queryClient },
  defaultPreload: "intent",
  // Query decides what is fresh.
  defaultPreloadStaleTime: 0,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
