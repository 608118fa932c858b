import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Built into the Python package; `stemset serve` gives it out at `/`.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/stemset/_web",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the page's policy allows no data: scripts
    reportCompressedSize: false,
  },
  // `npm run dev` beside a running `stemset serve`
  server: { host: "127.0.0.1", proxy: { "/api": "http://127.0.0.1:8080" } },
  test: { include: ["src/**/*.test.{ts,tsx}"], environment: "happy-dom", restoreMocks: true },
});
