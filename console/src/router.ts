/** Addresses of the console. Every dialog, task and setting has one, so it can be sent to a colleague. */

import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'

const routes: RouteRecordRaw[] = [
  { path: '/', redirect: '/inbox/mine' },
  { path: '/login', name: 'login', component: () => import('./features/login/LoginPage.vue') },
  {
    path: '/',
    component: () => import('./features/shell/Shell.vue'),
    children: [
      {
        path: 'inbox/:view(mine|unassigned|team|all)/:dialog?',
        name: 'inbox',
        component: () => import('./features/inbox/InboxPage.vue'),
      },
      { path: 'dialogs/:dialog', redirect: (to) => ({ name: 'inbox', params: { view: 'all', dialog: to.params.dialog } }) },
      { path: 'search', name: 'search', component: () => import('./features/search/SearchPage.vue') },
      { path: 'tasks/:task?', name: 'tasks', component: () => import('./features/tasks/TasksPage.vue') },
      { path: 'customers/:customer?', name: 'customers', component: () => import('./features/customer/CustomersPage.vue') },
      {
        path: 'settings/:section(profile|channels|agents|teams|tokens|quarantine)?/:item?',
        name: 'settings',
        component: () => import('./features/settings/SettingsPage.vue'),
      },
    ],
  },
  { path: '/:rest(.*)*', redirect: '/inbox/mine' },
]

if (import.meta.env.DEV) routes.unshift({ path: '/ui', component: () => import('./dev/UiPage.vue') })

export const router = createRouter({ history: createWebHistory(), routes })
