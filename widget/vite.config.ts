// The chat itself: a page that lives in an iframe of the site.
import { defineConfig } from "vite";

export default defineConfig({
  base: "/widget/",
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    modulePreload: false,
    rollupOptions: { input: "frame.html" },
  },
  test: { environment: "jsdom", include: ["test/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
