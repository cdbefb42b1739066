from nvcodec.study.results import Results


def test_rows_are_found_again(tmp_path):
    path = tmp_path / "deep" / "results.jsonl"
    assert Results(path).get("a") is None
    Results(path).add("a", {"value": 1})
    results = Results(path)
    assert results.get("a") == {"key": "a", "value": 1}
    results.add("a", {"value": 2})
    assert Results(path).rows == {"a": {"key": "a", "value": 2}}


def test_a_killed_run_costs_its_last_row_only(tmp_path):
    path = tmp_path / "results.jsonl"
    Results(path).add("a", {"value": 1})
    with path.open("a") as file:
        file.write('{"key": "b", "val')
    results = Results(path)
    assert list(results.rows) == ["a"]
    results.add("c", {"value": 3})
    assert sorted(Results(path).rows) == ["a", "c"]
