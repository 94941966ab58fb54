"""Statements of random programs that write to positions and by masks."""

from __future__ import annotations

from tests.autodiff.array_statements import ArrayWriter
from tests.autodiff.scope import Array, Scope


class ChosenWriter(ArrayWriter):
    """Writes statements about chosen elements."""

    def change_chosen(self, scope: Scope, indent: int, loops: int, returns: bool) -> None:
        """Write to elements that a mask or an array of integers chooses, some of them twice."""
        arrays, r = self.writable(scope), self.r
        if not arrays:
            return self.new_array(scope, indent, loops, returns)
        array = r.choice(arrays)
        if len(array.shape) == 2 and r.random() < 0.4:
            return self._change_pairs(scope, array, indent)
        name, size = array.name, array.shape[0]
        rest = ", 1" if len(array.shape) == 2 and r.random() < 0.5 else ""
        whole = len(array.shape) == 1 or rest
        choice = r.randrange(4)
        if choice == 0 and scope.gathers:
            place = r.choice(scope.gathers)
            value = self.vector(scope, 4, 2) if whole else self.bounded(scope)
        elif choice == 1:
            place = r.choice(("[0, 2]", "[2, 2, 0]", "np.array([1, 1])", "[-1, 0, -1, 1]"))
            count = {"[2, 2, 0]": 3, "[-1, 0, -1, 1]": 4}.get(place, 2)
            value = f"{self.vector(scope, 4, 2)}[:{count}]" if whole and r.random() < 0.7 else self.bounded(scope)
        else:
            mask = f"{self.vector(scope, size, 2)} > {self.leaf(scope)}"
            if choice == 2 and len(array.shape) == 1:
                place = self.fresh("q")
                self.line(indent, f"{place} = {mask}")
                value = f"{self.vector(scope, size, 2)}[{place}]"
            else:
                place, value = mask, self.bounded(scope)
        if r.random() < 0.15 and choice < 2:
            add = r.choice(("np.add.at", "np.add.at", "np.subtract.at"))
            return self.line(indent, f"{add}({name}, {f'({place}{rest})' if rest else place}, {value})")
        operator = r.choice(("=", "=", "+=", "-=", "*=", "/="))
        value = f"1.5 + np.cos({value})" if operator == "/=" else value
        return self.line(indent, f"{name}[{place}{rest}] {operator} {value}")

    def _change_pairs(self, scope: Scope, array: Array, indent: int) -> None:
        """Write to elements of a matrix that two arrays of integers choose, or a mask of as many axes, or columns."""
        r, (rows, columns) = self.r, array.shape
        place, count = r.choice(
            (
                ("[0, 1, 1], [2, 0, 0]", 3), ("np.tril_indices(3)", 6), ("np.triu_indices(3, 1)", 3), (":, [0, 2]", 2),
                ("np.arange(3), np.arange(3)", 3), ("1, [2, 0]", 2), ("[2, 0]", columns), ("..., [1, 1, 0]", 3),
                (f"{array.name} > {self.leaf(scope)}", 0), (f":, {array.name}[0] < {self.leaf(scope)}", 0),
                (f"{self.vector(scope, rows, 2)} > 0.1, 1", 0),
            )
        )  # fmt: skip
        value = self.bounded(scope)
        if count and r.random() < 0.6:
            value = f"np.sin(np.append({self.vector(scope, 3, 2)}, {self.vector(scope, 4, 2)})[:{count}])"
        self.line(indent, f"{array.name}[{place}] {r.choice(('=', '=', '+=', '-=', '*='))} {value}")
