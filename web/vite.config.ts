import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { brotliTwins } from "./build/brotli.ts";

/** Where `npm run dev` finds a running server. */
const SERVER = process.env.TIEGEL_URL ?? "http://127.0.0.1:8484";

export default defineConfig({
  plugins: [react(), tailwindcss(), brotliTwins()],
  build: {
    // A data: URL would be refused by the font rule of the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": SERVER, "/v2": SERVER } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
