"""Small projects whose hooks do something to async tests, or look as if they did.

Before each is run, KEYWORD becomes the word by which the mark `asyncio` takes a scope.
"""

from __future__ import annotations

# Every place that a mark can have, sync tests, and marks that hooks ask for.
TESTS = {
    "test_one.py": """
        import pytest

        async def test_plain(): pass

        @pytest.mark.asyncio
        async def test_own(): pass

        @pytest.mark.asyncio(KEYWORD="module")
        async def test_own_module(): pass

        @pytest.mark.slow
        async def test_slow(): pass

        @pytest.mark.slow
        @pytest.mark.asyncio
        async def test_slow_own(): pass

        @pytest.mark.anyio
        async def test_anyio(): pass

        @pytest.mark.parametrize("n", [1, 2])
        async def test_numbers(n): pass

        def test_sync(): pass

        @pytest.mark.asyncio
        class TestMarked:
            async def test_in_marked(self): pass

            @pytest.mark.asyncio(KEYWORD="module")
            async def test_own_in_marked(self): pass

        class TestPlain:
            async def test_in_plain(self): pass

            @staticmethod
            async def test_static(): pass

            def test_sync_in_plain(self): pass
    """,
    "test_two.py": """
        import pytest

        pytestmark = pytest.mark.asyncio(KEYWORD="module")

        async def test_under_module(): pass

        @pytest.mark.asyncio
        async def test_own_under_module(): pass

        def test_sync_under_module(): pass
    """,
    "sub/test_three.py": """
        import pytest

        async def test_below(): pass

        @pytest.mark.asyncio
        async def test_own_below(): pass
    """,
}

DOCUMENTED = """
    import pytest
    from pytest_asyncio import is_async_test

    def pytest_collection_modifyitems(items):
        pytest_asyncio_tests = (item for item in items if is_async_test(item))
        session_scope_marker = pytest.mark.asyncio(KEYWORD="session")
        for async_test in pytest_asyncio_tests:
            async_test.add_marker(session_scope_marker, append=False)
"""

READ: dict[str, str] = {
    "documented": DOCUMENTED,
    "documented before 0.23.6, without append": """
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(items):
            pytest_asyncio_tests = (item for item in items if is_async_test(item))
            session_scope_marker = pytest.mark.asyncio(KEYWORD="session")
            for async_test in pytest_asyncio_tests:
                async_test.add_marker(session_scope_marker)
    """,
    "a list, annotated, keyword": """
        import pytest
        import pytest_asyncio

        def pytest_collection_modifyitems(session, config, items: list[pytest.Item]) -> None:
            found: list = [item for item in items if pytest_asyncio.is_async_test(item)]
            marker: pytest.MarkDecorator = pytest.mark.asyncio(KEYWORD="session")
            for test in found:
                test.add_marker(marker=marker, append=False)
    """,
    "inline mark, an if in the loop": """
        import pytest
        from pytest_asyncio.plugin import is_async_test as is_async

        def pytest_collection_modifyitems(items):
            for item in items:
                if is_async(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), False)
    """,
    "a mark of the module": """
        from pytest import mark
        from pytest_asyncio import is_async_test

        SCOPE = "session"
        SESSION = mark.asyncio(KEYWORD=SCOPE)

        def pytest_collection_modifyitems(items):
            for item in filter(is_async_test, items):
                item.add_marker(SESSION, append=False)
    """,
    "filter with a lambda": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in filter(lambda it: inspect.iscoroutinefunction(it.function), items):
                item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "skipping on": """
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(items):
            for item in items:
                if not is_async_test(item):
                    continue
                item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "item.function": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if inspect.iscoroutinefunction(item.function):
                    item.add_marker(pytest.mark.asyncio)
    """,
    "item.obj, a string": """
        from asyncio import iscoroutinefunction

        def pytest_collection_modifyitems(config, items):
            for item in items:
                if iscoroutinefunction(item.obj):
                    item.add_marker("asyncio")
    """,
    "getattr": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                func = getattr(item, "function", None)
                if func is not None and inspect.iscoroutinefunction(func):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="module"), append=False)
    """,
    "isinstance": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "isinstance of the plugin's class": """
        import pytest
        from pytest_asyncio.plugin import PytestAsyncioFunction

        def pytest_collection_modifyitems(items):
            for item in items:
                if isinstance(item, PytestAsyncioFunction):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "unless it is marked": """
        import asyncio
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                marked = item.get_closest_marker("asyncio")
                if not marked and asyncio.iscoroutinefunction(item.function):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"))
    """,
    "unless it is marked, is None": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                marker = item.get_closest_marker("asyncio")
                if marker is None and inspect.iscoroutinefunction(item.obj):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "unless it is marked, by keyword": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if "asyncio" not in item.keywords and inspect.iscoroutinefunction(item.obj):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "if it is marked": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.get_closest_marker("asyncio") is not None:
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "if it is marked otherwise": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if any(item.iter_markers(name="slow")) and inspect.iscoroutinefunction(item.obj):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "unless it is anyio's": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.get_closest_marker("anyio") is not None:
                    continue
                if inspect.iscoroutinefunction(item.obj):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "every test": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.asyncio(KEYWORD="session"))
    """,
    "a walrus": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if (marker := item.get_closest_marker("asyncio")) is None:
                    if inspect.iscoroutinefunction(item.obj):
                        item.add_marker(pytest.mark.asyncio(KEYWORD="session"))
    """,
    "a helper": """
        import inspect
        import pytest

        def is_coroutine(item):
            if not isinstance(item, pytest.Function):
                return False
            return inspect.iscoroutinefunction(item.function)

        def pytest_collection_modifyitems(items):
            for item in items:
                if is_coroutine(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "a helper about the function, in the hook": """
        import pytest

        def pytest_collection_modifyitems(items):
            import inspect

            def is_async(func):
                return inspect.iscoroutinefunction(func)

            for item in list(items):
                if is_async(item.obj):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "a helper of the same name as the plugin's": """
        import inspect
        import pytest

        def is_async_test(item):
            return isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj)

        def pytest_collection_modifyitems(items):
            tests = [item for item in items if is_async_test(item)]
            for test in tests:
                test.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "either of two": """
        import inspect
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(items):
            for item in items:
                if is_async_test(item) or inspect.iscoroutinefunction(item.obj):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "a comprehension for its effect": """
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(items):
            mark = pytest.mark.asyncio(KEYWORD="session")
            [item.add_marker(mark, append=False) for item in items if is_async_test(item)]
    """,
    "enumerated, under try, with other marks": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                try:
                    func = item.function
                except AttributeError:
                    continue
                if inspect.iscoroutinefunction(func):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
                    item.add_marker(pytest.mark.network)
                if "slow" in item.nodeid:
                    item.add_marker(pytest.mark.skip(reason="slow"))
    """,
    "twice": """
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(items):
            for item in items:
                if is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="module"), append=False)
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "anyio and asyncio": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if inspect.iscoroutinefunction(item.function):
                    item.add_marker(pytest.mark.asyncio)
                    item.add_marker(pytest.mark.anyio)
    """,
    "anyio": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if inspect.iscoroutinefunction(item.function):
                    item.add_marker(pytest.mark.anyio)
    """,
    "anyio where asyncio is": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if "asyncio" in item.keywords and "anyio" not in item.keywords:
                    item.add_marker(pytest.mark.anyio)
    """,
    "itemcollected": """
        import inspect
        import pytest

        def pytest_itemcollected(item):
            if inspect.iscoroutinefunction(item.obj):
                item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "collection_finish": """
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_finish(session):
            for item in session.items:
                if is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "makeitem, on the function": """
        import inspect
        import pytest

        def pytest_pycollect_makeitem(collector, name, obj):
            if collector.funcnamefilter(name) and inspect.iscoroutinefunction(obj):
                pytest.mark.asyncio(obj)
    """,
    "makeitem, on the function, with a scope": """
        import inspect
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_pycollect_makeitem(collector, name, obj):
            if inspect.iscoroutinefunction(obj) and collector.istestfunction(obj, name):
                mark = pytest.mark.asyncio(KEYWORD="session")
                obj = mark(obj)
    """,
    "makeitem, makes the items": """
        import inspect
        import pytest

        def pytest_pycollect_makeitem(collector, name, obj):
            if collector.funcnamefilter(name) and inspect.iscoroutinefunction(obj):
                obj = pytest.mark.asyncio(obj)
                return list(collector._genfunctions(name, obj))
    """,
    "tryfirst and trylast": """
        import pytest
        from pytest_asyncio import is_async_test

        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            for item in items:
                if is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)

        @pytest.hookimpl(tryfirst=True, specname="pytest_collection_modifyitems")
        def pytest_first(items):
            for item in items:
                if is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="module"), append=False)
    """,
    "asked before": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            unmarked = [item for item in items if not item.get_closest_marker("asyncio")]
            for item in items:
                marker = item.get_closest_marker("asyncio")
                item.add_marker(pytest.mark.asyncio(KEYWORD="module"), append=False)
                if marker is None and inspect.iscoroutinefunction(item.obj):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
            for item in unmarked:
                if item.get_closest_marker("asyncio"):
                    item.add_marker(pytest.mark.asyncio, append=False)
    """,
    "asked when its turn comes": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            found = (item for item in items if inspect.iscoroutinefunction(item.obj))
            unmarked = (item for item in found if item.get_closest_marker("asyncio") is None)
            for item in items:
                if item.get_closest_marker("slow"):
                    item.add_marker(pytest.mark.asyncio)
            for item in unmarked:
                item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "asked before others": """
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_collection_modifyitems(items):
            unmarked = [item for item in items if not item.get_closest_marker("asyncio")]
            yield
            for item in unmarked:
                item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)

        @pytest.hookimpl(specname="pytest_collection_modifyitems")
        def pytest_others(items):
            for item in items:
                item.add_marker(pytest.mark.asyncio)
    """,
    "two of one name, by their names": """
        import pytest
        from pytest_asyncio import is_async_test

        @pytest.hookimpl(specname="pytest_collection_modifyitems")
        def pytest_zeta(items):
            for item in items:
                item.add_marker(pytest.mark.asyncio(KEYWORD="module"), append=False)

        @pytest.hookimpl(specname="pytest_collection_modifyitems")
        def pytest_alpha(items):
            for item in items:
                item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "a wrapper, after": """
        import pytest
        from pytest_asyncio import is_async_test

        @pytest.hookimpl(hookwrapper=True)
        def pytest_collection_modifyitems(items):
            for item in items:
                if is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="module"), append=False)
            yield
            for item in items:
                if is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "wrappers and others": """
        import pytest
        from pytest_asyncio import is_async_test

        SESSION = pytest.mark.asyncio(KEYWORD="session")
        MODULE = pytest.mark.asyncio(KEYWORD="module")

        @pytest.hookimpl(hookwrapper=True)
        def pytest_collection_modifyitems(items):
            outcome = yield
            for item in items:
                if is_async_test(item):
                    item.add_marker(SESSION, append=False)

        @pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
        def pytest_last(items):
            for item in items:
                item.add_marker(MODULE, append=False)
    """,
    "a condition on the platform": """
        import sys
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(items):
            if sys.version_info >= (3, 8):
                for item in items:
                    if is_async_test(item):
                        item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
            else:
                for item in items:
                    item.add_marker(pytest.mark.asyncio)
    """,
    "a switch of the module": """
        import pytest
        from pytest_asyncio import is_async_test

        ONE_LOOP = True

        def pytest_collection_modifyitems(items):
            if not ONE_LOOP:
                return
            for item in items:
                if is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "other hooks beside": """
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(config, items):
            for item in items:
                if is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
            if config.getoption("--durations"):
                for item in items:
                    if item.get_closest_marker("asyncio"):
                        item.add_marker(pytest.mark.skip)
            items.sort(key=lambda item: item.nodeid)

        def pytest_runtest_setup(item):
            if item.get_closest_marker("asyncio") and item.config.getoption("--pdb"):
                pytest.skip("not with asyncio")
    """,
}

UNKNOWN: dict[str, str] = {
    "by folder": """
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(items):
            for item in items:
                if "sub" in str(item.path) and is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "by node id": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if "own" in item.nodeid:
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "by option": """
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(config, items):
            if config.getoption("--pdb"):
                return
            for item in items:
                if is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "unless its mark has arguments": """
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(items):
            for item in items:
                marker = item.get_closest_marker("asyncio")
                if not marker or not marker.kwargs:
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "the first ones": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.name == "test_own":
                    break
                item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "if a hook marks it otherwise": """
        import pytest

        def pytest_itemcollected(item):
            if "sub" in item.nodeid:
                item.add_marker(pytest.mark.slow)

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.get_closest_marker("slow"):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "own_markers": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.own_markers = [m for m in item.own_markers if m.name != "asyncio"]
                item.add_marker(pytest.mark.asyncio(KEYWORD="session"))
    """,
    "own_markers.insert": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.own_markers.insert(0, pytest.mark.asyncio(KEYWORD="session").mark)
    """,
    "arguments of the mark": """
        def pytest_collection_modifyitems(items):
            for item in items:
                mark = item.get_closest_marker("asyncio")
                if mark:
                    mark.kwargs.setdefault("KEYWORD", "session")
    """,
    "arguments of marks": """
        def pytest_collection_modifyitems(items):
            for item in items:
                for mark in item.iter_markers("asyncio"):
                    mark.kwargs["KEYWORD"] = "session"
    """,
    "a computed mark": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                for name in ("asyncio", "slow"):
                    item.add_marker(getattr(pytest.mark, name), append=False)
    """,
    "marks of the module": """
        import pytest

        MARKS = {"own": pytest.mark.asyncio(KEYWORD="session")}

        def pytest_collection_modifyitems(items):
            for item in items:
                for word, mark in MARKS.items():
                    if word in item.name:
                        item.add_marker(mark, append=False)
    """,
    "on classes": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.cls is not None:
                    item.parent.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "in a helper": """
        import pytest

        def _mark(item):
            item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.name == "test_own":
                    _mark(item)
    """,
    "in a helper of another module": """
        from helpers import mark_all

        def pytest_collection_modifyitems(items):
            mark_all(items)
    """,
    "in a plugin object": """
        import pytest

        class Marker:
            def pytest_collection_modifyitems(self, items):
                for item in items:
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)

        def pytest_configure(config):
            config.pluginmanager.register(Marker())
    """,
    "in a plugin object of another module": """
        from helpers import Marker

        def pytest_configure(config):
            config.pluginmanager.register(Marker(), "marker")
    """,
    "a hook under a condition": """
        import os
        import pytest

        if "HOME" in os.environ:
            def pytest_collection_modifyitems(items):
                for item in items:
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "the tests that are not taken": """
        import pytest
        from pytest_asyncio import is_async_test

        def pytest_collection_modifyitems(items):
            for item in items:
                if not is_async_test(item):
                    item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "makeitem with another item": """
        import inspect
        import pytest

        def pytest_pycollect_makeitem(collector, name, obj):
            if collector.funcnamefilter(name) and inspect.iscoroutinefunction(obj):
                item = pytest.Function.from_parent(collector, name=name)
                item.add_marker(pytest.mark.asyncio(KEYWORD="session"))
                return item
    """,
    "when it is set up": """
        import pytest

        def pytest_runtest_setup(item):
            item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)
    """,
    "when tests are generated": """
        import pytest

        def pytest_generate_tests(metafunc):
            metafunc.definition.add_marker(pytest.mark.asyncio(KEYWORD="session"))
    """,
    "the mode": """
        def pytest_configure(config):
            config.option.asyncio_mode = "auto"
    """,
    "a default of the configuration": """
        def pytest_configure(config):
            config._inicache["asyncio_default_test_loop_scope"] = "session"
    """,
}

NOTHING: dict[str, str] = {
    "other marks": """
        import pytest

        def pytest_collection_modifyitems(config, items):
            if not config.getoption("--pdb"):
                skip = pytest.mark.skip(reason="needs --pdb")
                for item in items:
                    if "slow" in item.keywords:
                        item.add_marker(skip)
    """,
    "computed marks": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(getattr(pytest.mark, item.path.stem))
                item.add_marker(item.path.parent.name)
    """,
    "asks only": """
        import logging
        import pytest

        def pytest_configure(config):
            config.addinivalue_line("markers", "asyncio: run with asyncio")
            for name in ["asyncio", "urllib3"]:
                logging.getLogger(name)

        def pytest_collection_modifyitems(items):
            first = [item for item in items if item.get_closest_marker("asyncio")]
            items[:] = first + [item for item in items if "asyncio" not in item.keywords]
            for item in items:
                marker = item.get_closest_marker("asyncio")
                if marker is not None and marker.kwargs.get("KEYWORD") == "session":
                    item.add_marker(pytest.mark.skip(reason="shares a loop"))
                item.add_marker("all")
    """,
    "its marks' arguments": """
        import pytest

        def _apply(config, item):
            for name, kind in (("slow", pytest.mark.skipif), ("fast", pytest.mark.xfail)):
                marker = item.get_closest_marker(name)
                if marker and config.getoption("--pdb"):
                    del marker.kwargs["reason"]
                    item.add_marker(kind(True, *marker.args, **marker.kwargs))

        def pytest_collection_modifyitems(config, items):
            for item in items:
                _apply(config, item)
    """,
    "sync tests": """
        import inspect
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if not inspect.iscoroutinefunction(item.function):
                    item.add_marker(pytest.mark.asyncio)
    """,
}

HELPERS = """
    import pytest

    def mark_all(items):
        for item in items:
            item.add_marker(pytest.mark.asyncio(KEYWORD="session"), append=False)

    class Marker:
        def pytest_collection_modifyitems(self, items):
            mark_all(items)
"""

HOOK = """
import pytest
from pytest_asyncio import is_async_test

{head}
{decorator}
def pytest_collection_modifyitems(items):
    for item in items:
        if is_async_test(item):
            item.add_marker(pytest.mark.asyncio(KEYWORD="{scope}"), append=False)
"""
ITEM_HOOK = """
import inspect
import pytest

def pytest_itemcollected(item):
    if inspect.iscoroutinefunction(item.obj):
        item.add_marker(pytest.mark.asyncio(KEYWORD="{scope}"), append=False)

def pytest_pycollect_makeitem(collector, name, obj):
    if collector.funcnamefilter(name) and inspect.iscoroutinefunction(obj):
        pytest.mark.asyncio(obj)
"""


# By its scope one tells which hook's mark a test has.
SCOPE_OF = {
    "root": "session",
    "sub": "module",
    "also": "package",
    "plugin": "package",
    "inner": "function",
    "helper": "session",
}


def hook(whose: str, head: str = "", decorator: str = "") -> str:
    return HOOK.format(scope=SCOPE_OF[whose], head=head, decorator=decorator)


ARRANGED: dict[str, dict[str, str]] = {
    "conftests": {
        "conftest.py": hook("root"),
        "sub/conftest.py": hook("sub"),
        "also/conftest.py": hook("also"),
        "also/test_four.py": "async def test_four(): pass",
    },
    "conftests, the outer one first": {
        "conftest.py": hook("root", decorator="@pytest.hookimpl(tryfirst=True)"),
        "sub/conftest.py": hook("sub"),
    },
    "conftests, all last": {
        "conftest.py": hook("root", decorator="@pytest.hookimpl(trylast=True)"),
        "sub/conftest.py": hook("sub", decorator="@pytest.hookimpl(trylast=True)"),
    },
    "a plugin that a conftest names": {
        "conftest.py": 'pytest_plugins = ["helper_plugin"]',
        "helper_plugin.py": hook("plugin"),
    },
    "a conftest and the plugin that it names": {
        "conftest.py": hook("root", head='pytest_plugins = ["helper_plugin"]'),
        "helper_plugin.py": hook("plugin"),
    },
    "a plugin's plugin": {
        "conftest.py": 'pytest_plugins = ["helper_plugin"]',
        "helper_plugin.py": hook("plugin", head='pytest_plugins = ["helper_inner"]'),
        "helper_inner.py": hook("inner"),
    },
    "imported": {
        "conftest.py": "from helper_hooks import pytest_collection_modifyitems",
        "helper_hooks.py": hook("helper"),
    },
    "imported with all": {
        "conftest.py": "from helper_hooks import *",
        "helper_hooks.py": hook("helper"),
    },
    "of a folder": {
        "conftest.py": "",
        "sub/conftest.py": ITEM_HOOK.format(scope="module"),
    },
    "of folders": {
        "conftest.py": ITEM_HOOK.format(scope="session"),
        "sub/conftest.py": ITEM_HOOK.format(scope="module"),
    },
}

RUN_HOOK = """
import inspect
import pytest

pytest_plugins = ["loops_probe"]

def pytest_collection_modifyitems(items):
    for item in items:
        if inspect.iscoroutinefunction(item.function):
            item.add_marker(pytest.mark.asyncio(KEYWORD="{scope}"), append=False)
"""
RUN_TESTS = """
import pytest
from loops_probe import note

{head}

{mark}
async def test_first(): note(__name__ + ".first")

{mark}
async def test_second(): note(__name__ + ".second")
"""
MARKED = {
    "unmarked": {"mark": "", "head": ""},
    "bare": {"mark": "@pytest.mark.asyncio", "head": ""},
    "module": {"mark": '@pytest.mark.asyncio(KEYWORD="module")', "head": ""},
    "above": {"mark": "", "head": "pytestmark = pytest.mark.asyncio"},
    "module above": {"mark": "", "head": 'pytestmark = pytest.mark.asyncio(KEYWORD="module")'},
}

RUNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pyfunc_call": (
        """
        import asyncio
        import inspect

        def pytest_pyfunc_call(pyfuncitem):
            if inspect.iscoroutinefunction(pyfuncitem.obj):
                asyncio.run(pyfuncitem.obj())
                return True
        """,
        ("pytest_pyfunc_call",),
    ),
    "another function in its place": (
        """
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_pyfunc_call(pyfuncitem):
            pyfuncitem.obj = wrapped(pyfuncitem.obj)
            yield

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_call(item):
            setattr(item, "obj", wrapped(item.obj))
        """,
        ("pytest_pyfunc_call", "pytest_runtest_call"),
    ),
    "fixture_setup": (
        """
        import inspect

        def pytest_fixture_setup(fixturedef, request):
            if inspect.iscoroutinefunction(fixturedef.func):
                fixturedef.func = run(fixturedef.func)
        """,
        ("pytest_fixture_setup",),
    ),
    "with a helper": (
        """
        import pytest
        from helpers import run_all

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(item, nextitem):
            run_all(item)
            return (yield)
        """,
        ("pytest_runtest_protocol",),
    ),
    "makeitem": (
        """
        import inspect

        def pytest_pycollect_makeitem(collector, name, obj):
            if inspect.iscoroutinefunction(obj):
                return make(collector, name, obj)
        """,
        ("pytest_pycollect_makeitem",),
    ),
    "nothing async": (
        """
        import time
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_pyfunc_call(pyfuncitem):
            started = time.time()
            yield
            print(time.time() - started)

        def pytest_runtest_protocol(item, nextitem):
            print(item.nodeid)

        def pytest_runtest_setup(item):
            if "asyncio" in item.keywords and item.config.getoption("--pdb"):
                pytest.skip("no asyncio here")

        @pytest.hookimpl(hookwrapper=True)
        def pytest_fixture_setup(fixturedef, request):
            yield
        """,
        (),
    ),
}
RUNNING_HELPERS = """
import asyncio

def run_all(item):
    asyncio.run(item.obj())
"""

CLASSES = {
    "init_subclass": """
        class Base:
            def __init_subclass__(cls, **arguments):
                super().__init_subclass__(**arguments)
                cls.pytestmark = [pytest.mark.asyncio]

        class TestOne(Base):
            async def test_one(self): pass
    """,
    "a metaclass": """
        class Meta(type):
            def __new__(cls, name, bases, body):
                body["pytestmark"] = pytest.mark.asyncio
                return super().__new__(cls, name, bases, body)

        class Base(metaclass=Meta):
            pass

        class TestOne(Base):
            async def test_one(self): pass
    """,
    "a metaclass, on the tests": """
        class Meta(type):
            def __init__(cls, name, bases, body):
                super().__init__(name, bases, body)
                for key, value in body.items():
                    if key.startswith("test"):
                        setattr(cls, key, pytest.mark.asyncio(value))

        class TestOne(metaclass=Meta):
            async def test_one(self): pass
    """,
}
