"""What the documentation of both estimators says in the same words."""

TEXTS = {
    "members": """\
Columns may be numbers, categories or dates, with missing values; see `report_` for what became of them.
    Members differ on purpose: width, depth, rates, decay and the waves of their numbers are drawn for
    each. They are trained side by side, each on a thread of its own and to its best epoch.""",
    "first": """\
preset : {"quick", "balanced", "best"}, default "balanced"
        How much is spent: 4, 8 and 32 members of twice as many that are tried, fewer where a table is so
        large or wide that they would take too long.
    max_time : float, optional
        Seconds after which training ends with what there is; choosing among its members then takes at most
        about a fifth as long. They begin with the reading of the table. Where its preparation takes more than
        half of them, there are fewer kinds of members and fewer folds; what one network needs is prepared
        however long it takes. Of 100,000 rows and more, as many are learnt from as there is time for, unless
        there is a checkpoint. The result depends on the machine.
    n_members : int, optional
        In place of the preset's number.
    n_folds : int, optional
        Into how many parts the rows are cut: each member is trained once without each of them, and all its
        networks count; at most half as many as there are rows. With 1, a tenth of the rows is held out.
        None for folds where rows are fewer than 12,000. Fewer than ten rows all choose what is learnt from
        them.""",
    "second": """\
columns : mapping, optional
        Kinds of columns by name or place, where they are not what their dtype says: ``{"zip": "category",
        "year": "number"}``; "number", "category", "date" or "drop". Where a frame's columns are called by
        integers, tuples or dates, these are their names.
    categorical_features : sequence, optional
        Names or places of the categories, or True and False for each column, as in scikit-learn; integers
        that a frame's columns are called are names here as well.
    progress : bool, default False
        Show a progress bar, with the best validation loss so far.
    random_state : int, RandomState instance or None, default None
        Of the folds, of what members are made of, of their initial weights and of the order of rows. With
        an int the result is the same to the bit for any number of threads.
    n_threads : int, optional
        Members trained at once; None for as many as there are cores.""",
    "fitted": """\
report_ : Report
        What was done to each column.
    leaderboard_ : Leaderboard
        What each member scores, what it is made of, and how much it counts.
    history_ : dict of int to list of History
        How each member was trained, by its number on the leaderboard: a record for each of its folds.
    encoder_ : TableEncoder
        What makes numbers of the columns.
    ensemble_ : Ensemble
        The members that count.""",
    "features": """\
n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where they are all strings.""",
    "X_to_fit": """\
X : data frame, Arrow table, array, list of rows or mapping of columns, of shape (n_samples, n_features)
            pandas, polars, pyarrow or NumPy; missing values are NaN, None or the like.""",
    "sample_weight": """\
sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, not negative. Rows of weight 0 are left out.""",
    "checkpoint": """\
checkpoint : path-like, optional
            A file that keeps what is finished of the fit, now and then, at its end and on Ctrl-C: the trials,
            and the networks of members.
        checkpoint_every : float or int, optional
            How often: seconds where it is a float, trials and networks where it is an int. None for 60.0.
        resume : bool, default False
            Go on from `checkpoint`, if that file is there, to the same bits as if the fit had never been
            interrupted. Rows and parameters must be as they were, a `RandomState` where it was before that
            fit, but for `max_time`, `n_threads` and `progress`.""",
    "X": """\
X : like X of `fit`
            The same columns by the same names, or other labels, where they had any, and in the same order.
            Names of a mapping, or of a list of mappings, may be in any order.""",
    "bad_X": """\
Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError, ValueError
            If `X` is no table, has no rows or other columns than `fit`, infinity, or values that are none of
            their kind.""",
    "row": """\
row : mapping, Series, named tuple or sequence
            Its values by the names or labels of the columns, or in their order.""",
    "bad_row": """\
NotFittedError
            If the estimator is not fitted.
        TypeError, ValueError
            If it has other columns than `fit`, infinity, or values that are none of their kind.""",
}
