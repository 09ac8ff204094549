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
import { federationLabels, federationResources as resources } from "./api/FederationNames.ts"
import { makeAutoscalerController } from "./autoscaling/AutoscalerController.ts"
import { type CentralizedAutoscaling, startCentralizedAutoscaling } from "./autoscaling/CentralizedAutoscaling.ts"
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
  /** Whether this process handles an object, by its federated object's key. Default: all. */
  readonly owns?: (federatedKey: string) => boolean
  readonly statusIntervalMs?: number
  /** Starts an HPA controller over the fleet as one cluster. */
  readonly autoscaler?: (view: Client) => Cancel
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
  /** A source has a generation that concerns no member. */
  readonly sourceCounted: (federatedKey: string) => void
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
      memberService: (cluster, key) => members.object(cluster, gvr("", "v1", "services"), key),
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

/** Centralized autoscaling, where there is a controller for it: once one process does it for all. */
const startAutoscaling = ({
  autoscaler,
  client,
  clockwork,
  informers,
  leads = true,
  members,
  runtime
}: CompanionOptions): CentralizedAutoscaling | undefined =>
  autoscaler === undefined || !leads
    ? undefined
    : startCentralizedAutoscaling({
        clockwork,
        runtime,
        host: client,
        autoscalers: informers.informer(gvr("autoscaling", "v2", "horizontalpodautoscalers"), {
          labelSelector: `${federationLabels.centralizedHpaEnabled}=true`
        }),
        clusters: () => members.fleet.clusters.map(({ name }) => name),
        memberClient: members.client,
        start: autoscaler
      })

/** The loops of which one process runs one for all shares. */
const leadersOf = (options: CompanionOptions, failing: (controller: string) => Failing): ReadonlyArray<Controller> => {
  const { client, clockwork, informers, objects, policies, runtime, semantics, types } = options
  const shared = { clockwork, client, runtime, objects }
  const counted = [
    resources.propagationPolicies,
    resources.clusterPropagationPolicies,
    resources.overridePolicies,
    resources.clusterOverridePolicies
  ]
  const [namespaced] = objects
  return [
    makeFollowerController({ ...shared, semantics, ...failing("follower") }),
    makePolicyCountController({
      ...shared,
      types: types.ofKind,
      policies: Object.fromEntries(counted.map((resource) => [resource.resource, informers.informer(resource)])),
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
            types: types.ofKind,
            sources: sourcesOf(options),
            policyOf: policyOf(policies),
            ...failing("federatedhpa")
          })
        ])
  ]
}

interface Failing {
  readonly onFailure: (key: string, failure: ApiFailure) => void
}

/** The informer of a type's sources; of a type that is federated no longer one that knows none. */
const sourcesOf =
  ({ client, clockwork, types }: CompanionOptions) =>
  (type: GroupVersionResource): Informer =>
    types.informer(types.ofResource(type)?.name ?? "") ??
    new Informer({ clockwork, client, collection: { resource: type, namespace: "" } })

/** Starts them all. */
export const startCompanions = (options: CompanionOptions): Companions => {
  const { client, clockwork, informers, leads = true, members, objects, owns, runtime, semantics, types } = options
  const failing = (controller: string): Failing => ({
    onFailure: (key, failure) => options.onFailure?.(controller, key, failure)
  })
  const shared = { clockwork, client, runtime, objects, types: types.ofKind, members, ...(owns && { owns }) }
  const status = makeStatusController({
    ...shared,
    collected: [resources.collectedStatuses, resources.clusterCollectedStatuses].map((one) => informers.informer(one)),
    sources: sourcesOf(options),
    semantics,
    workers: WORKERS,
    ...(options.statusIntervalMs === undefined ? {} : { minIntervalMs: options.statusIntervalMs }),
    ...failing("status")
  })
  const migration = makeMigrationController({ ...shared, ...failing("migration") })
  const controllers = [status, migration, ...(leads ? leadersOf(options, failing) : [])]
  const services = leads ? startServices(options, failing("services").onFailure) : undefined
  const autoscaling = startAutoscaling(options)
  for (const controller of controllers) controller.start()
  return {
    controllers,
    copyChanged: (key) => {
      status.memberChanged(key)
      migration.memberChanged(key)
    },
    clusterChanged: (cluster) => {
      status.clusterChanged(cluster)
      migration.clusterChanged(cluster)
      autoscaling?.clusterChanged()
      services?.clusterChanged(cluster)
    },
    sourceCounted: status.memberChanged,
    stop: () => {
      services?.stop()
      autoscaling?.stop()
      for (const controller of controllers) controller.stop()
    }
  }
}
