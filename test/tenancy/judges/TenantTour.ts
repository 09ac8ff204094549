// The kubectl tour as a tenant beside the owner of a fresh cluster: which scenes are played, and which differences stay, each with its
// reason.
// Owns these two lists; a difference that is not in the second fails the tour.
import type { Accepted } from "../../apiserver/kubectl/Accepted.ts"
import { scenes } from "../../apiserver/kubectl/Scenes.ts"
import type { Scene } from "../../apiserver/kubectl/Tour.ts"
import { connected } from "../../front/Connected.ts"
import { type FrontSides, startSides } from "../../front/Sides.ts"
import type { UpstreamPrograms } from "../../front/Upstream.ts"
import { startZoo } from "./Zoo.ts"

/** The tenant of the tour. */
export const TENANT = "tour01"

/** Scenes that are the platform's alone: nodes are changed and certificates signed there. */
const platforms: ReadonlySet<string> = new Set(["nodes", "certificates"])

export const tenantScenes: ReadonlyArray<Scene> = [...connected, ...scenes.filter(({ name }) => !platforms.has(name))]

/** Two clusters, the second through a tenancy server as its only tenant. */
export const startTenantSides = (programs: UpstreamPrograms & { readonly kubectl: string }): Promise<FrontSides> =>
  startSides(programs, async (upstream) => {
    const zoo = await startZoo(upstream, [TENANT])
    const access = zoo.tenants.get(TENANT)
    if (access === undefined) throw new Error("the tour has no tenant")
    return { access, stop: zoo.stop }
  })

export const acceptedOfTenants: ReadonlyArray<Accepted> = [
  {
    reason:
      "A tenant's administrator is another person than the owner of the fresh cluster, and has groups of a tenant.",
    explains: (_scene, command, ours, real) =>
      command.startsWith("kubectl auth whoami") && ours.includes("ATTRIBUTE") === real.includes("ATTRIBUTE")
  }
]
