// The controllers beside the pipeline: statuses back to sources, followers, migrations, autoscalers, policies' counts, services.
// Owns what each is handed and when those of services start: not before anybody exports or imports one. Refuses what they decide.
import {
  type ApiFailure,
  type Cancel,
  type Client,
  type Clockwork,
  type ClockworkRuntime,
  type Controller,
  type GroupVersionResource,
  gvr,
  Informer,
  type InformerFactory,
  type KubeObject
} from "#kube"
import { federatedSpecOf } from "./api/FederatedObject.ts"
import { federationResources as resources } from "./api/FederationNames.ts"
import { makeAutoscalerController } from "./autoscaling/AutoscalerController.ts"
import type { WorkloadPolicy } from "./autoscaling/AutoscalerMode.ts"
import type { Members } from "./clusters/Members.ts"
import type { FederatedTypes } from "./federate/FederatedTypes.ts"
import type { Policies } from "./federate/Policies.ts"
import { makeFollowerController } from "./followers/FollowerController.ts"
import { makeMigrationController } from "./migration/MigrationController.ts"
import { makePolicyCountController } from "./policies/PolicyCountController.ts"
import type { SemanticsTable } from "./semantics/SemanticsTable.ts"
import { makeServiceControllers, type ServiceControllers } from "./services/ServiceControllers.ts"
import { makeStatusController } from "./status/StatusController.ts"

export interface CompanionOptions {
  readonly clockwork: Clockwork
  readonly runtime: ClockworkRuntime
  readonly client: Client
  readonly informers: InformerFactory
  /** Of FederatedObjects and ClusterFederatedObjects. */
  readonly objects: ReadonlyArray<Informer>
  readonly types: FederatedTypes
  readonly policies: Policies
  readonly members: Members
  readonly semantics: SemanticsTable
  readonly statusIntervalMs?: number
  /** Whether followers, policies' counts, autoscalers and services are this process's business: one does it for all. */
  readonly leads?: boolean
  readonly onFailure?: (controller: string, key: string, failure: ApiFailure) => void
}

export interface Companions {
  readonly controllers: ReadonlyArray<Controller>
  /** A copy of a federated object has changed. */
  readonly copyChanged: (federatedKey: string) => void
  /** A member was lost or is heard of again. */
  readonly clusterChanged: (cluster: string) => void
  readonly stop: () => void
}

const WORKERS = 32

const policyOf =
  (policies: Policies) =>
  (federated: KubeObject): WorkloadPolicy | undefined => {
    const { labels = {} } = federated.metadata
    const policy = policies.propagation(labels, federatedSpecOf(federated).template)
    return typeof policy === "string" ? undefined : { mode: policy.mode, followers: policy.followers }
  }

/** Starts the loops of services once there is something to export or to import. */
const startServices = (options: CompanionOptions, failed: (key: string, failure: ApiFailure) => void) => {
  const { client, clockwork, informers, members, objects, runtime } = options
  const [objectInformer] = objects
  let services: ServiceControllers | undefined
  const exports = informers.informer(resources.serviceExports)
  const imports = informers.informer(resources.serviceImports)
  const begin = (): void => {
    if (services !== undefined || objectInformer === undefined) return
    services = makeServiceControllers({
      clockwork,
      client,
      runtime,
      objects: objectInformer,
      exports,
      imports,
      services: informers.informer(gvr("", "v1", "services")),
      slices: informers.informer(gvr("discovery.k8s.io", "v1", "endpointslices")),
      memberClient: members.client,
      onFailure: failed
    })
    services.start()
  }
  const cancels: ReadonlyArray<Cancel> = [exports, imports].map((informer) => informer.addHandler({ added: begin }))
  return {
    clusterChanged: (cluster: string): void => services?.clusterChanged(cluster),
    stop: (): void => {
      for (const cancel of cancels) cancel()
      services?.stop()
    }
  }
}

/** Starts them all. */
export const startCompanions = (options: CompanionOptions): Companions => {
  const { client, clockwork, informers, leads = true, members, objects, policies, runtime, semantics, types } = options
  const failing = (controller: string) => ({
    onFailure: (key: string, failure: ApiFailure) => options.onFailure?.(controller, key, failure)
  })
  const informer = (resource: GroupVersionResource): Informer => informers.informer(resource)
  const shared = { clockwork, client, runtime, objects }
  const kinds = { types: types.ofKind }
  const sources = (type: GroupVersionResource): Informer =>
    types.informer(types.ofResource(type)?.name ?? "") ??
    new Informer({ clockwork, client, collection: { resource: type, namespace: "" } })
  const status = makeStatusController({
    ...shared,
    ...kinds,
    collected: [informer(resources.collectedStatuses), informer(resources.clusterCollectedStatuses)],
    sources,
    members,
    semantics,
    workers: WORKERS,
    ...(options.statusIntervalMs === undefined ? {} : { minIntervalMs: options.statusIntervalMs }),
    ...failing("status")
  })
  const migration = makeMigrationController({ ...shared, ...kinds, members, ...failing("migration") })
  const [namespaced] = objects
  const controllers: ReadonlyArray<Controller> = [
    status,
    migration,
    ...(leads
      ? [
          makeFollowerController({ ...shared, semantics, ...failing("follower") }),
          makePolicyCountController({
            ...shared,
            ...kinds,
            policies: Object.fromEntries(
              [
                resources.propagationPolicies,
                resources.clusterPropagationPolicies,
                resources.overridePolicies,
                resources.clusterOverridePolicies
              ].map((resource) => [resource.resource, informer(resource)])
            ),
            ...failing("policies")
          }),
          ...(namespaced === undefined
            ? []
            : [
                makeAutoscalerController({
                  clockwork,
                  client,
                  runtime,
                  objects: namespaced,
                  ...kinds,
                  sources,
                  policyOf: policyOf(policies),
                  ...failing("federatedhpa")
                })
              ])
        ]
      : [])
  ]
  const services = leads ? startServices(options, failing("services").onFailure) : undefined
  for (const controller of controllers) controller.start()
  return {
    controllers,
    copyChanged: (key) => {
      status.memberChanged(key)
      migration.memberChanged(key)
    },
    clusterChanged: (cluster) => {
      status.clusterChanged(cluster)
      services?.clusterChanged(cluster)
    },
    stop: () => {
      services?.stop()
      for (const controller of controllers) controller.stop()
    }
  }
}
