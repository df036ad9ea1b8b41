import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

const api = process.env.OTKLIK_API ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': { target: api, ws: true },
      '/widget': api,
      '/demo-chat': api,
    },
  },
  build: { target: 'es2022', chunkSizeWarningLimit: 700 },
  test: { environment: 'jsdom', include: ['src/**/*.spec.ts'] },
})
