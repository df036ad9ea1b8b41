/** Agents, teams, and who is here now. */

import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import type { Fact } from '@/api/facts'
import type { Agent, Snapshot, Team } from '@/api/types'

export const usePeople = defineStore('people', () => {
  const agents = ref(new Map<string, Agent>())
  const teams = ref(new Map<string, Team>())

  const activeAgents = computed(() =>
    [...agents.value.values()].filter((a) => a.active).sort((a, b) => a.name.localeCompare(b.name)),
  )
  const sortedTeams = computed(() => [...teams.value.values()].sort((a, b) => a.name.localeCompare(b.name)))

  function take(snapshot: Pick<Snapshot, 'agents' | 'teams'>): void {
    agents.value = new Map(snapshot.agents.map((a) => [a.id, a]))
    teams.value = new Map(snapshot.teams.map((t) => [t.id, t]))
  }

  function apply(fact: Fact): void {
    if (fact.agent) agents.value.set(fact.agent.id, fact.agent)
    if (fact.type === 'team.removed' && fact.team_id) teams.value.delete(fact.team_id)
    else if (fact.team) teams.value.set(fact.team.id, fact.team)
  }

  const agentName = (id: string | null | undefined) => (id && agents.value.get(id)?.name) || ''
  const teamName = (id: string | null | undefined) => (id && teams.value.get(id)?.name) || ''

  return { agents, teams, activeAgents, sortedTeams, take, apply, agentName, teamName }
})
