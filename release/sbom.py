#!/usr/bin/env python3
"""Writes what a release is made of, as CycloneDX 1.5 JSON: every crate that is linked or that builds, with licence and SHA-256, and the default pack.

    release/sbom.py [--package veriface-native] [--target TRIPLE] > veriface.cdx.json

Needs cargo and Python's own library. The same Cargo.lock gives the same bytes; SOURCE_DATE_EPOCH adds a time.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent


def metadata(target):
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--format-version", "1", "--locked"]
    if target:
        command += ["--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def reached(resolve, root):
    """Package ids by whether something that runs needs them; what only builds is told apart."""
    nodes = {node["id"]: node for node in resolve["nodes"]}
    scope, waiting = {}, [(root, "required")]
    while waiting:
        package, needed = waiting.pop()
        if scope.get(package) in ("required", needed):
            continue
        scope[package] = needed
        for dependency in nodes[package]["deps"]:
            kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
            if None in kinds:
                waiting.append((dependency["pkg"], needed))
            elif "build" in kinds:
                waiting.append((dependency["pkg"], "excluded"))
    return scope, nodes


def component(package, checksums, scope):
    name, version = package["name"], package["version"]
    purl = f"pkg:cargo/{name}@{version}".replace("+", "%2B")
    found = {"type": "library", "bom-ref": purl, "name": name, "version": version, "scope": scope, "purl": purl}
    if package["license"]:
        # Cargo's old way to write OR.
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if (name, version) in checksums:
        found["hashes"] = [{"alg": "SHA-256", "content": checksums[name, version]}]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", default="veriface-native", help="the crate that is released")
    parser.add_argument("--target", help="what it is built for; by default everything that any target needs")
    arguments = parser.parse_args()

    found = metadata(arguments.target)
    packages = {package["id"]: package for package in found["packages"]}
    roots = [package for package in found["packages"] if package["name"] == arguments.package and package["source"] is None]
    if not roots:
        sys.exit(f"there is no crate {arguments.package} in the workspace")
    root = roots[0]["id"]
    lock_bytes = (ROOT / "Cargo.lock").read_bytes()
    lock = tomllib.loads(lock_bytes.decode())
    checksums = {(p["name"], p["version"]): p["checksum"] for p in lock["package"] if "checksum" in p}
    scope, nodes = reached(found["resolve"], root)

    components = {package: component(packages[package], checksums, needed) for package, needed in scope.items()}
    main_component = components.pop(root)
    main_component.pop("scope")
    pack = ROOT / "sdk/src/pack/default.vfpack"
    model = {
        "type": "machine-learning-model",
        "bom-ref": "default.vfpack",
        "name": "default.vfpack",
        "description": "the built-in pack: docs/default-pack.md and its own model card have its data and terms",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(pack.read_bytes()).hexdigest()}],
    }
    dependencies = []
    for package in sorted(scope, key=lambda package: (packages[package]["name"], packages[package]["version"])):
        own = main_component if package == root else components[package]
        needs = {d["pkg"] for d in nodes[package]["deps"] if {k["kind"] for k in d["dep_kinds"]} & {None, "build"}}
        on = sorted(components[other]["bom-ref"] for other in needs if other in components)
        if packages[package]["name"] == "veriface":
            on.append("default.vfpack")
        dependencies.append({"ref": own["bom-ref"], "dependsOn": on})

    about = {"tools": {"components": [{"type": "application", "name": "release/sbom.py"}]}, "component": main_component}
    if "SOURCE_DATE_EPOCH" in os.environ:
        moment = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
        about["timestamp"] = moment.isoformat().replace("+00:00", "Z")
    named = f"{arguments.package} {arguments.target} {hashlib.sha256(lock_bytes).hexdigest()} {model['hashes'][0]['content']}"
    print(
        json.dumps(
            {
                "bomFormat": "CycloneDX",
                "specVersion": "1.5",
                "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, named)}",
                "version": 1,
                "metadata": about,
                "components": sorted(components.values(), key=lambda c: c["bom-ref"]) + [model],
                "dependencies": dependencies,
            },
            indent=1,
        )
    )


main()
