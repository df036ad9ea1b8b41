import '@fontsource-variable/inter/index.css'
import './styles/tokens.css'
import './styles/base.css'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n, locale, setLocale } from './i18n'
import { router } from './router'
import { usePrefs } from './stores/prefs'

/** After an upgrade the parts of the old page are gone: load the new one, once in a while at most. */
window.addEventListener('vite:preloadError', () => {
  const last = Number(sessionStorage.getItem('reloaded') ?? 0)
  if (Date.now() - last < 10_000) return
  sessionStorage.setItem('reloaded', String(Date.now()))
  location.reload()
})

setLocale(locale())
const app = createApp(App).use(createPinia()).use(i18n)
usePrefs()
app.use(router).mount('#app')
