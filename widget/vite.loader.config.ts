// The embed script: one classic script that leaves no names behind; built after the chat, beside it.
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2020",
    outDir: "dist",
    emptyOutDir: false,
    copyPublicDir: false,
    lib: { entry: "src/loader.ts", formats: ["iife"], name: "otklikLoader", fileName: () => "loader.js" },
    rollupOptions: { output: { extend: true } },
  },
});
