// Custom resources as kubectl meets them: definition, columns, explanations, validation, versions, scale and status.
import type { Scene } from "../Tour.ts"

const definition = (change = ""): string => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.tour.example.com}
spec:
  group: tour.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}
    selectableFields: [{jsonPath: .spec.schedule}]
    additionalPrinterColumns:
    - {name: Schedule, type: string, jsonPath: .spec.schedule, description: When it runs}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Image, type: string, jsonPath: .spec.image, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        description: A table of what runs when.
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            description: What is wanted.
            required: [schedule]
            x-kubernetes-validations:
            - {rule: "self.replicas <= 5 || self.schedule != 'often'", message: too many too often}
            properties:
              schedule: {type: string, minLength: 2, description: When it runs.}
              image: {type: string, default: "registry.example/cron:1"}
              replicas: {type: integer, minimum: 0, maximum: 10, default: 1}
              mode: {type: string, enum: [Fast, Slow]}
              fixed: {type: string, x-kubernetes-validations: [{rule: self == oldSelf, message: is fixed}]}
          status:
            type: object
            properties:
              replicas: {type: integer}
              selector: {type: string}
${change}  - name: v1beta1
    served: true
    storage: false
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

const tab = (name: string, spec: string): string =>
  `{apiVersion: tour.example.com/v1, kind: CronTab, metadata: {name: ${name}}, spec: ${spec}}`

export const customKinds: ReadonlyArray<Scene> = [
  {
    name: "custom",
    steps: [
      { run: "apply -f -", input: definition() },
      "wait crd/crontabs.tour.example.com --for=condition=Established --timeout=10s",
      "get crd crontabs.tour.example.com -o wide",
      { run: "get crontabs", until: /No resources/ },
      { run: "apply -f -", input: tab("daily", "{schedule: daily, fixed: a}") },
      { run: "create -f -", input: tab("slow", "{schedule: slow, mode: Slow, replicas: 3}") },
      "get crontabs",
      "get ct -o wide",
      "get crontab daily -o yaml",
      "get ct --field-selector=spec.schedule=slow",
      "get ct --field-selector=spec.image=x",
      "get crontabs.v1beta1.tour.example.com daily -o jsonpath={.apiVersion}",
      "get all",
      { run: "explain crontabs", until: /table of what/ },
      "explain crontab.spec",
      "explain crontab --recursive",
      "api-resources --api-group=tour.example.com -o wide",
      { run: "create -f - (a bad enum)", input: tab("x", "{schedule: x1, mode: Never}") },
      { run: "create -f - (required)", input: tab("x", "{}") },
      { run: "create -f - (too short and too many)", sorted: true, input: tab("x", "{schedule: x, replicas: 99}") },
      { run: "create -f - (a wrong type)", input: tab("x", "{schedule: 5}") },
      { run: "create -f - (a rule)", input: tab("x", "{schedule: often, replicas: 6}") },
      { run: "create -f - (unknown fields)", input: tab("x", "{schedule: xx, unknown: 1}") },
      { run: "create -f - --validate=false (pruned)", input: tab("pruned", "{schedule: xx, unknown: 1}") },
      "get ct pruned -o jsonpath={.spec}",
      { run: "apply -f - (a fixed field)", input: tab("daily", "{schedule: daily, fixed: b}") },
      { run: "apply -f - --server-side", input: tab("daily", "{schedule: weekly}") },
      "scale crontab/daily --replicas=4",
      "get ct daily --subresource=scale -o jsonpath={.spec}",
      'patch ct daily --subresource=status --type=merge -p \'{"status":{"replicas":4}}\'',
      'patch ct daily --type=merge -p \'{"spec":{"replicas":2},"status":{"replicas":9}}\'',
      'patch ct daily -p \'{"spec":{"replicas":2}}\'',
      "get ct daily -o jsonpath='{.spec.replicas} {.status.replicas} {.metadata.generation}'",
      "scale crontabs.v1beta1.tour.example.com/daily --replicas=4",
      "describe ct daily",
      "label ct --all a=b",
      "wait ct/daily --for=jsonpath={.status.replicas}=4 --timeout=5s",
      { run: "diff -f -", input: tab("daily", "{schedule: yearly}"), only: /^[-+ ]( |\[)|^\[/ },
      {
        run: "apply -f - (a definition that is broken)",
        input: definition()
          .replace("type: string, minLength: 2", "type: text, minLength: 2")
          .replace("type: date", "type: day")
      },
      {
        run: "create -f - (a definition of another name)",
        input: definition().replace("name: crontabs.tour.example.com", "name: other.tour.example.com")
      },
      { run: "delete ct --all", sorted: true },
      "delete crd crontabs.tour.example.com",
      // Discovery forgets the kind some time after its definition is gone; until then a real server says that it has no such objects.
      { run: "get crontabs", until: /doesn't have/ }
    ]
  }
]
