//go:build tools

// Command table prints how the kinds of a Kubernetes API server look in Protocol Buffers: for each message its fields' numbers, JSON
// names and types, read off the Go types by reflection. `node test/apiserver/GenerateProtobuf.ts` runs it and keeps what it prints.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// What is no message of fields: letters that the decoder knows.
var special = map[string]string{
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":                                          "T",
	"k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime":                                     "M",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":                                      "D",
	"k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1":                                      "J",
	"k8s.io/apimachinery/pkg/api/resource.Quantity":                                      "Q",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString":                                    "X",
	"k8s.io/apimachinery/pkg/runtime.RawExtension":                                       "J",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON":                      "J",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrArray":    "A",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrBool":     "B",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrStringArray": "S",
}

type message interface{ Unmarshal([]byte) error }

var messageType = reflect.TypeOf((*message)(nil)).Elem()

var numbers = map[reflect.Type]int{}
var types = [][]string{}

func number(t reflect.Type) int {
	if known, ok := numbers[t]; ok {
		return known
	}
	at := len(types)
	numbers[t] = at
	types = append(types, nil)
	fields := []string{}
	for i := 0; i < t.NumField(); i++ {
		if text := field(t.Field(i)); text != "" {
			fields = append(fields, text)
		}
	}
	types[at] = fields
	return at
}

func kindOf(t reflect.Type) string {
	if letter, ok := special[t.PkgPath()+"."+t.Name()]; ok {
		// The schema of a custom resource is wherever one of its variants is.
		if strings.HasPrefix(t.Name(), "JSONSchemaPropsOr") {
			number(reflect.TypeOf(apiextensions.JSONSchemaProps{}))
		}
		return letter
	}
	switch t.Kind() {
	case reflect.String:
		return "s"
	case reflect.Bool:
		return "o"
	case reflect.Int32, reflect.Int64, reflect.Int, reflect.Uint32, reflect.Uint64, reflect.Uint8, reflect.Uint16, reflect.Int16:
		return "i"
	case reflect.Float64:
		return "d"
	case reflect.Struct:
		return fmt.Sprint(number(t))
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "b"
		}
		if reflect.PointerTo(t).Implements(messageType) {
			return "W"
		}
	}
	panic("no form for " + t.String())
}

func field(f reflect.StructField) string {
	tag := f.Tag.Get("protobuf")
	if tag == "" || tag == "-" {
		return ""
	}
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	flags := ""
	// An embedded struct's fields stand among those of its owner in JSON, but not here.
	if name == "" {
		flags += "n"
		name = "-"
	} else if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
		flags += "k"
	}
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
		flags += "p"
	}
	isList := t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 && !reflect.PointerTo(t).Implements(messageType)
	kind := ""
	switch {
	case isList:
		flags += "l"
		element := t.Elem()
		if element.Kind() == reflect.Pointer {
			element = element.Elem()
		}
		kind = kindOf(element)
	case t.Kind() == reflect.Map:
		flags += "m"
		kind = kindOf(t.Elem())
	default:
		kind = kindOf(t)
	}
	return strings.TrimSpace(strings.Join([]string{strings.Split(tag, ",")[1], name, kind, flags}, " "))
}

func main() {
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensions.AddToScheme, apiregistration.AddToScheme} {
		if err := add(all); err != nil {
			panic(err)
		}
	}
	kinds := map[string]int{}
	known := all.AllKnownTypes()
	names := []string{}
	byName := map[string]reflect.Type{}
	for gvk, t := range known {
		stable := !strings.Contains(gvk.Version, "alpha") && !strings.Contains(gvk.Version, "beta")
		if gvk.Version == "__internal" || strings.HasSuffix(gvk.Kind, "List") || !stable || !reflect.PointerTo(t).Implements(messageType) {
			continue
		}
		if strings.HasSuffix(gvk.Kind, "Options") && gvk.Kind != "DeleteOptions" || gvk.Kind == "WatchEvent" {
			continue
		}
		name := gvk.GroupVersion().String() + "/" + gvk.Kind
		names = append(names, name)
		byName[name] = t
	}
	sort.Strings(names)
	for _, name := range names {
		kinds[name] = number(byName[name])
	}
	props := number(reflect.TypeOf(apiextensions.JSONSchemaProps{}))
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	if err := out.Encode(map[string]any{"kinds": kinds, "types": types, "schemaProps": props}); err != nil {
		panic(err)
	}
}
