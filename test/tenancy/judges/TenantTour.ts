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

/** Kinds of the platform, of which a tenant sees what is published, or nothing. */
const PLATFORMS =
  /storageclass|csidriver|priorityclass|persistentvolume|\bpv\b|tour-volume|flowschemas|apiservices|servicecidrs|componentstatuses/

const about =
  (command: RegExp, ours = /./): Accepted["explains"] =>
  (_scene, given, said) =>
    command.test(given) && ours.test(said)

/** Whether one text has all lines of another, in any order. */
const within = (some: string, all: string): boolean => {
  const lines = new Set(all.split("\n"))
  return some.split("\n").every((line) => lines.has(line))
}

export const acceptedOfTenants: ReadonlyArray<Accepted> = [
  {
    reason:
      "A tenant's administrator is another person than the owner of the fresh cluster, and has groups of a tenant.",
    explains: about(/^kubectl auth whoami/, /admin/)
  },
  {
    reason:
      "Kinds that reach past a tenant's namespaces (classes of storage and priority, volumes, CSI drivers) are the platform's: a tenant reads what is published and its own claims' volumes, and is refused changes.",
    explains: (_scene, command, ours) =>
      PLATFORMS.test(command) && /NotFound|No resources found|doesn't have a resource type|platform's/.test(ours)
  },
  {
    reason:
      "The same manifest with such kinds in it, and a webhook at an address outside the tenant: each is refused by itself, the rest is taken; what waits for the refused volume waits on.",
    explains: (scene, command, ours) =>
      scene === "cluster-kinds" &&
      (command.startsWith("kubectl apply")
        ? /are the platform's/.test(ours)
        : /pvc claim|csidriver|tour-hook|^kubectl delete pvc/.test(command))
  },
  {
    reason: "Kinds that a tenant is not served, or only reads, are missing from discovery, or have fewer verbs there.",
    explains: (_scene, command, ours, real) =>
      (command.startsWith("kubectl api-versions") && within(ours, real)) ||
      (command.startsWith("kubectl api-resources") &&
        within(ours.replaceAll(/ {2}get,list,watch\b.*/g, ""), real.replaceAll(/ {2}create,delete.*/g, "")))
  },
  {
    reason: "The cluster roles that Kubernetes makes for its own parts are the platform's; a tenant has its own alone.",
    explains: (_scene, command, ours, real) => command === "kubectl get clusterroles -o name" && within(ours, real)
  },
  {
    reason: "Paths that are no API are refused and not looked for.",
    explains: about(/get --raw \/nothing/, /cannot get path/)
  },
  {
    reason: "The fields of an object stand in another order within raw JSON, or with other white space.",
    explains: (_scene, command, ours, real) => {
      const inOrder = (text: string): string => Array.from(text.replaceAll(/\s/g, "")).sort().join("")
      return (/get --raw|"data":5/.test(command) || command.includes("GET")) && inOrder(ours) === inOrder(real)
    }
  },
  {
    reason:
      "A subject or a class that is none is refused by the front's own rules, in its words, or by kubectl itself.",
    explains: about(/a binding to nothing|a class of nothing/, /Forbidden|missing required field/)
  },
  {
    reason: "Where the kind has no such subresource, the front knows it before the object is looked for.",
    explains: about(/^kubectl scale crontabs\.v1beta1/, /could not find the requested resource/)
  }
]
