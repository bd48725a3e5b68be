"""The table of docs/sklearn.md: the quantum student beside logistic regression on scikit-learn's own data sets.

Run: python -m tests.benchmarks.compare_sklearn, a few minutes of one core. Ten folds, the same for both; columns are
standardised on the training rows of each.
"""

from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from student_jax.estimator import QuantumStudentClassifier

DATA = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
MODELS = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "3 qubits": QuantumStudentClassifier(qubits=3),
    "6 qubits": QuantumStudentClassifier(qubits=6),
    "6 qubits, 640 steps": QuantumStudentClassifier(qubits=6, min_steps=640),
}


def main():
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    print(f"| data | rows, features, classes | {' | '.join(MODELS)} |", f"|---|---|{'---|' * len(MODELS)}", sep="\n")
    for name, load in DATA.items():
        X, y = load(return_X_y=True)
        scores = [cross_val_score(make_pipeline(StandardScaler(), model), X, y, cv=folds) for model in MODELS.values()]
        cells = (f"{one.mean():.3f} ± {one.std():.3f}" for one in scores)
        print(f"| {name} | {X.shape[0]}, {X.shape[1]}, {len(set(y))} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
