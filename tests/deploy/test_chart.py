"""The Helm chart renders, fits Kubernetes' schemas, and keeps its promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from qingyu.settings import Settings

from .rendering import CHART, RenderError, render, values

pytest.importorskip("yaml", reason="PyYAML is not installed")
pytest.importorskip("go_template", reason="py-go-template is not installed")

KEYS = {"keys": {"secretName": "qingyu-keys"}}
EVERYTHING = {
    **KEYS,
    "models": {"existingClaim": "bundles"},
    "defaultModel": "large",
    "settings": {"QINGYU_MAX_TEXTS": "64"},
    "serviceMonitor": {"enabled": True, "keySecret": {"name": "prometheus-key"}},
    "networkPolicy": {"from": [{"namespaceSelector": {}}]},
    "podAnnotations": {"note": "轻语"},
    "tolerations": [{"key": "cpu", "operator": "Exists"}],
}
KINDS = {
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "ServiceAccount",
}


def pod(chart: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = chart["Deployment"]["spec"]["template"]["spec"]
    return found


def environment(chart: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in pod(chart)["containers"][0]["env"]}


def test_all_parts_are_there(tmp_path: Path) -> None:
    """By default everything but the ServiceMonitor, which needs its operator."""
    assert set(render(tmp_path, **KEYS)) == KINDS
    assert set(render(tmp_path, **EVERYTHING)) == {*KINDS, "ServiceMonitor"}
    off = {"enabled": False}
    rest = {"autoscaling": off, "podDisruptionBudget": off, "networkPolicy": off}
    fewer = render(tmp_path, **KEYS, **rest)
    assert set(fewer) == {"Deployment", "Service", "ServiceAccount"}
    assert fewer["Deployment"]["spec"]["replicas"] == 2


def test_nobody_is_let_in_by_accident(tmp_path: Path) -> None:
    """Without keys the chart refuses, unless it is opened on purpose."""
    with pytest.raises(RenderError, match=r"keys\.secretName"):
        render(tmp_path)
    assert environment(render(tmp_path, allowOpen=True))["QINGYU_ALLOW_OPEN"] == "1"
    assert "QINGYU_ALLOW_OPEN" not in environment(render(tmp_path, **KEYS))


@pytest.mark.parametrize("over", [KEYS, EVERYTHING], ids=["default", "everything"])
def test_the_schemas_of_kubernetes(tmp_path: Path, over: dict[str, Any]) -> None:
    """Every document is one that the API server of the lowest and a recent version would take."""
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed"
    )
    for kind, document in render(tmp_path, **over).items():
        if kind != "ServiceMonitor":  # not Kubernetes' own
            for version in ("1.25", "1.34"):
                kubernetes_validate.validate(document, version, strict=True)


def test_the_pod_may_do_as_little_as_possible(tmp_path: Path) -> None:
    """Not root, nothing to write to but /tmp, no capabilities, no token."""
    spec = pod(render(tmp_path, **KEYS))
    container = spec["containers"][0]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = [m for m in container["volumeMounts"] if not m.get("readOnly")]
    assert [mount["mountPath"] for mount in writable] == ["/tmp"]  # noqa: S108
    assert container["resources"]["limits"]["memory"]


def test_selectors_meet_labels(tmp_path: Path) -> None:
    """What selects pods selects those of this chart."""
    chart = render(tmp_path, **EVERYTHING)
    labels = chart["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    service = chart["Service"]
    for selector in (
        chart["Deployment"]["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        chart["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        chart["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    monitored = chart["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= service["metadata"]["labels"].items()
    target = chart["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"]
    assert target == chart["Deployment"]["metadata"]["name"]
    ports = {port["name"] for port in pod(chart)["containers"][0]["ports"]}
    assert service["spec"]["ports"][0]["targetPort"] in ports


def test_the_environment_is_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable the chart sets is a setting of the service, with a value it takes."""
    found = environment(render(tmp_path, **EVERYTHING))
    for name, value in found.items():
        assert name.removeprefix("QINGYU_").lower() in Settings.model_fields
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.has_keys
    assert (settings.max_texts, settings.drain_notice, settings.model) == (64, 5, "large")
    grace = pod(render(tmp_path, **KEYS))["terminationGracePeriodSeconds"]
    assert grace > settings.drain + settings.drain_notice


def test_it_scales_by_a_metric_that_exists(tmp_path: Path) -> None:
    """The autoscaler reads what /metrics tells."""
    metrics = (
        Path(__file__).parents[2] / "src" / "qingyu" / "web" / "edge" / "metrics.py"
    ).read_text()
    chart = render(tmp_path, **KEYS)
    name = chart["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert f'"{name.removeprefix("qingyu_")}"' in metrics


def test_values_and_their_schema_agree() -> None:
    """Every value has a place in the schema, and the other way round."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(values()) == set(schema["properties"]) - {"global"}
    for name, part in schema["properties"].items():
        if "properties" in part and name != "global":
            assert set(values()[name]) == set(part["properties"]), name


def test_the_chart_is_of_this_version() -> None:
    """Chart and package carry one version."""
    import qingyu

    text = (CHART / "Chart.yaml").read_text()
    assert re.search(r'appVersion: "(.+)"', text)[1] == qingyu.__version__  # type: ignore[index]
