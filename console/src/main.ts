import '@fontsource-variable/inter/index.css'
import './styles/tokens.css'
import './styles/base.css'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n, locale, setLocale } from './i18n'
import { router } from './router'
import { usePrefs } from './stores/prefs'

setLocale(locale())
const app = createApp(App).use(createPinia()).use(i18n)
usePrefs()
app.use(router).mount('#app')
